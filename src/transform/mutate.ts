// All mutants of the model in one module: each comparison, test and condition under assembly/mm asks a global which of
// them is wrong in this run. With none chosen the module does what the plain one does.
import {
  type BinaryExpression,
  type BlockStatement,
  type CallExpression,
  type Expression,
  type ExpressionStatement,
  type ForStatement,
  type FunctionDeclaration,
  type IfStatement,
  type Node,
  NodeKind,
  type ParenthesizedExpression,
  type Parser,
  type Statement,
  type TernaryExpression,
  Token,
  type UnaryPrefixExpression,
  type WhileStatement,
} from 'assemblyscript';
import {
  bare,
  binary,
  block,
  call,
  callStatement,
  functionsOf,
  identifier,
  mapChildren,
  number,
  type Place,
  placeOf,
  sourcesIn,
  type Transform,
  textOf,
  truth,
} from './ast.js';

/** What a mutant does to its place. */
export type MutantKind =
  /** `a == b` becomes `a != b`, `f()` becomes `!f()`, `!a` becomes `a`. */
  | 'negate'
  /** `a && b` becomes `b`. */
  | 'drop-left'
  /** `a && b` becomes `a`. */
  | 'drop-right'
  /** `if (a)` becomes `if (true)`. */
  | 'always'
  /** `if (a)` becomes `if (false)`. */
  | 'never';

/** One wrong place. */
export interface HandlerMutant extends Place {
  /** From 1, in the order of files and places. */
  readonly id: number;
  readonly kind: MutantKind;
  /** The operator it is about: `==`, `&`, `!`, `&&`, `if`, or `test` for a call or a variable. */
  readonly operator: string;
  readonly before: string;
  readonly after: string;
}

const OPPOSITE: ReadonlyMap<Token, readonly [operator: string, opposite: string]> = new Map([
  [Token.Equals_Equals, ['==', '!=']],
  [Token.Exclamation_Equals, ['!=', '==']],
  [Token.LessThan, ['<', '>=']],
  [Token.LessThan_Equals, ['<=', '>']],
  [Token.GreaterThan, ['>', '<=']],
  [Token.GreaterThan_Equals, ['>=', '<']],
]);
const LOGICAL: ReadonlyMap<Token, string> = new Map([
  [Token.Ampersand_Ampersand, '&&'],
  [Token.Bar_Bar, '||'],
]);

/** What is only noted for people: which decision it was, how often it happened. */
const NOTES = new Set(['at', 'count', 'traceLeaf', 'traceOp', 'traceSection']);

/** A seeded mutant, which no kernel has: what it decides is no decision of the kernel. */
const SEEDED = /^knob\(K\.MUTANT_\w+\)$/;

/** A test of a knob alone is a constant of the kernel: wrong is only its opposite. */
const KNOB = /^!?knob\([\w.]+\)$/;

/**
 * Exports and globals of the module of mutants. A loop that does not end uses up its fuel, and traps. While the module
 * probes, each mutant that would decide otherwise than the kernel as it is marks a byte: what marks none changes nothing.
 */
const runtime = (mutants: number) => `
@global let __mutant: u32 = 0;
@global let __fuel: u32 = 0;
@global let __probe: usize = 0;
const __marks: usize = memory.data(${mutants + 1});
@global @inline function __burn(): void { if (--__fuel == 0) unreachable(); }
@global @inline function __any(id: u32, value: bool): bool { if (__probe) store<u8>(__probe + (id as usize), 1); return value; }
@global @inline function __no(id: u32, value: bool): bool { if (__probe && !value) store<u8>(__probe + (id as usize), 1); return value; }
@global @inline function __yes(id: u32, value: bool): bool { if (__probe && value) store<u8>(__probe + (id as usize), 1); return value; }
export function mutant_select(id: u32): void { __mutant = id; }
export function mutant_fuel(turns: u32): void { __fuel = turns; }
export function mutant_probe(on: bool): usize { __probe = on ? __marks : 0; return __marks; }
`;

export class MutantTransform implements Transform {
  readonly mutants: HandlerMutant[] = [];
  readonly #folder: string;
  #function = '';

  /** `folder` is mutated, such as `assembly/mm/`; every loop of the program burns fuel. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  afterParse(parser: Parser): void {
    for (const source of sourcesIn(parser, this.#folder)) for (const one of functionsOf(source)) this.#mutate(one);
    for (const source of sourcesIn(parser, '')) {
      if (!source.normalizedPath.startsWith('~')) for (const one of functionsOf(source)) burnFuel(one);
    }
    parser.parseFile(runtime(this.mutants.length), 'assembly/mutants-runtime.ts', true);
  }

  #mutate(one: FunctionDeclaration): void {
    this.#function = one.name.text;
    one.body = this.#visit(one.body!) as Statement;
  }

  #visit(node: Node): Node {
    switch (node.kind) {
      case NodeKind.If: {
        const statement = node as IfStatement;
        if (!statement.ifFalse && onlyNotes(statement.ifTrue)) return statement;
        const seeded = constantOf(statement.condition) === false;
        statement.condition = this.#condition(statement.condition);
        if (!seeded) statement.ifTrue = this.#visit(statement.ifTrue) as Statement;
        if (statement.ifFalse) statement.ifFalse = this.#visit(statement.ifFalse) as Statement;
        return statement;
      }
      case NodeKind.For: {
        const loop = node as ForStatement;
        if (loop.initializer) loop.initializer = this.#visit(loop.initializer) as Statement;
        if (loop.condition) loop.condition = this.#test(loop.condition);
        if (loop.incrementor) loop.incrementor = this.#visit(loop.incrementor) as Expression;
        loop.body = this.#visit(loop.body) as Statement;
        return loop;
      }
      case NodeKind.While:
      case NodeKind.Do: {
        const loop = node as WhileStatement;
        loop.condition = this.#test(loop.condition);
        loop.body = this.#visit(loop.body) as Statement;
        return loop;
      }
      case NodeKind.Ternary: {
        const choice = node as TernaryExpression;
        choice.condition = this.#test(choice.condition);
        choice.ifThen = this.#visit(choice.ifThen) as Expression;
        choice.ifElse = this.#visit(choice.ifElse) as Expression;
        return choice;
      }
      case NodeKind.Binary: {
        const { operator } = node as BinaryExpression;
        if (OPPOSITE.has(operator) || LOGICAL.has(operator)) return this.#test(node as Expression);
        break;
      }
      case NodeKind.UnaryPrefix:
        if ((node as UnaryPrefixExpression).operator === Token.Exclamation) return this.#test(node as Expression);
        break;
      case NodeKind.Call:
        if (NOTES.has(textOf((node as CallExpression).expression))) return node;
        break;
    }
    mapChildren(node, (child) => this.#visit(child));
    return node;
  }

  /** Of an `if`: right, negated, or whatever comes of it ignored. */
  #condition(node: Expression): Expression {
    if (constantOf(node) !== undefined) return node;
    const text = textOf(node);
    const inner = deciding(node);
    const whole = inner.kind === NodeKind.Binary && LOGICAL.has((inner as BinaryExpression).operator);
    const opposite = whole ? this.#add(node, 'negate', 'if', `if (${text})`, `if (!(${text}))`) : undefined;
    const [always, never] = KNOB.test(text)
      ? []
      : [
          this.#add(node, 'always', 'if', `if (${text})`, 'if (true)'),
          this.#add(node, 'never', 'if', `if (${text})`, 'if (false)'),
        ];
    let tested = this.#test(node);
    if (opposite !== undefined) tested = flipped(tested, opposite);
    if (always !== undefined) tested = orIf(tested, always);
    return never === undefined ? tested : andUnless(tested, never);
  }

  /** An expression of which only the truth counts. `negated`: a `!` stands before it, which has the mutant of both. */
  #test(node: Expression, negated = false): Expression {
    if (constantOf(node) !== undefined) return node;
    switch (node.kind) {
      case NodeKind.Parenthesized: {
        const outer = node as ParenthesizedExpression;
        outer.expression = this.#test(outer.expression, negated);
        return outer;
      }
      case NodeKind.True:
      case NodeKind.False:
        return node;
      case NodeKind.UnaryPrefix: {
        const prefix = node as UnaryPrefixExpression;
        if (prefix.operator !== Token.Exclamation) break;
        const id = negated ? undefined : this.#add(node, 'negate', '!', textOf(node), textOf(bare(prefix.operand)));
        prefix.operand = this.#test(prefix.operand, true);
        return id === undefined ? prefix : flipped(prefix, id);
      }
      case NodeKind.Binary: {
        const pair = node as BinaryExpression;
        const word = LOGICAL.get(pair.operator);
        if (word !== undefined) return this.#logical(pair, word);
        const [operator, opposite] = OPPOSITE.get(pair.operator) ?? [];
        if (operator !== undefined) {
          const [left, right] = [textOf(pair.left), textOf(pair.right)];
          const id = negated
            ? undefined
            : this.#add(node, 'negate', operator, `${left} ${operator} ${right}`, `${left} ${opposite} ${right}`);
          pair.left = this.#visit(pair.left) as Expression;
          pair.right = this.#visit(pair.right) as Expression;
          return id === undefined ? pair : flipped(pair, id);
        }
        break;
      }
    }
    const operator =
      node.kind === NodeKind.Binary && (node as BinaryExpression).operator === Token.Ampersand ? '&' : 'test';
    const text = textOf(node);
    const id = negated ? undefined : this.#add(node, 'negate', operator, text, `!(${text})`);
    const visited = this.#visit(node) as Expression;
    return id === undefined ? visited : flipped(visited, id);
  }

  /** Either side of `&&` and `||` may be left out: as if it did not decide. */
  #logical(pair: BinaryExpression, word: string): Expression {
    if (constantOf(pair.left) !== undefined || constantOf(pair.right) !== undefined) {
      pair.left = this.#test(pair.left);
      pair.right = this.#test(pair.right);
      return pair;
    }
    const text = textOf(pair);
    const left = this.#add(pair, 'drop-left', word, text, textOf(pair.right));
    const right = this.#add(pair, 'drop-right', word, text, textOf(pair.left));
    const drop = word === '&&' ? orIf : andUnless;
    pair.left = drop(this.#test(pair.left), left);
    pair.right = drop(this.#test(pair.right), right);
    return pair;
  }

  #add(node: Node, kind: MutantKind, operator: string, before: string, after: string): number {
    const id = this.mutants.length + 1;
    this.mutants.push({ id, ...placeOf(node, this.#function), kind, operator, before, after });
    return id;
  }
}

/** What an expression is on every kernel, as far as seeded mutants say; undefined: it depends. */
function constantOf(node: Expression): boolean | undefined {
  const inner = bare(node);
  if (inner.kind === NodeKind.UnaryPrefix) {
    const { operator, operand } = inner as UnaryPrefixExpression;
    const value = operator === Token.Exclamation ? constantOf(operand) : undefined;
    return value === undefined ? undefined : !value;
  }
  if (inner.kind === NodeKind.Call) return SEEDED.test(textOf(inner)) ? false : undefined;
  if (inner.kind !== NodeKind.Binary) return undefined;
  const { operator, left, right } = inner as BinaryExpression;
  if (!LOGICAL.has(operator)) return undefined;
  const decisive = operator === Token.Bar_Bar;
  const [a, b] = [constantOf(left), constantOf(right)];
  if (a === decisive || b === decisive) return decisive;
  return a === undefined || b === undefined ? undefined : !decisive;
}

/** The part of a condition that is left where seeded mutants are off. */
function deciding(node: Expression): Expression {
  const inner = bare(node);
  if (inner.kind !== NodeKind.Binary || !LOGICAL.has((inner as BinaryExpression).operator)) return inner;
  const { left, right } = inner as BinaryExpression;
  if (constantOf(left) !== undefined) return deciding(right);
  return constantOf(right) === undefined ? inner : deciding(left);
}

/** Does the statement nothing but note something for people? */
function onlyNotes(node: Statement): boolean {
  if (node.kind === NodeKind.Block) return (node as BlockStatement).statements.every(onlyNotes);
  if (node.kind !== NodeKind.Expression) return false;
  const { expression } = node as ExpressionStatement;
  return expression.kind === NodeKind.Call && NOTES.has(textOf((expression as CallExpression).expression));
}

function chosen(operator: Token, id: number, { range }: Node): Expression {
  return binary(operator, identifier('__mutant', range), number(id, range), range);
}
/** The truth of `node`, with a mark by `mark` where mutant `id` would not agree. */
function probed(mark: string, node: Expression, id: number): Expression {
  return call(mark, [number(id, node.range), truth(node)], node.range);
}
/** The opposite where mutant `id` is chosen. */
function flipped(node: Expression, id: number): Expression {
  return binary(Token.Exclamation_Equals, probed('__any', node, id), chosen(Token.Equals_Equals, id, node), node.range);
}
/** True where mutant `id` is chosen. It is asked all the same: what asking does is done, and only the answer is ignored. */
function orIf(node: Expression, id: number): Expression {
  return binary(Token.Bar_Bar, probed('__no', node, id), chosen(Token.Equals_Equals, id, node), node.range);
}
/** False where mutant `id` is chosen. */
function andUnless(node: Expression, id: number): Expression {
  const left = probed('__yes', node, id);
  return binary(Token.Ampersand_Ampersand, left, chosen(Token.Exclamation_Equals, id, node), node.range);
}

function burnFuel(one: FunctionDeclaration): void {
  const look = (node: Node): Node => {
    mapChildren(node, look);
    if (node.kind === NodeKind.For || node.kind === NodeKind.While || node.kind === NodeKind.Do) {
      const loop = node as WhileStatement;
      const { range } = loop.body;
      loop.body = block([callStatement('__burn', [], range), loop.body], range);
    }
    return node;
  };
  one.body = look(one.body!) as BlockStatement;
}
