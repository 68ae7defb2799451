// Branch coverage of the model: each function, each side of a decision under assembly/mm marks a byte when it is taken.
import {
  type BinaryExpression,
  type Expression,
  type FunctionDeclaration,
  type IfStatement,
  Node,
  NodeKind,
  type Parser,
  type Statement,
  type SwitchStatement,
  type TernaryExpression,
  Token,
} from 'assemblyscript';
import {
  binary,
  block,
  call,
  callStatement,
  functionsOf,
  mapChildren,
  number,
  type Place,
  placeOf,
  sourcesIn,
  startOf,
  type Transform,
  textOf,
  truth,
} from './ast.js';

export type BranchKind =
  /** The function is called. */
  | 'entry'
  /** Sides of `if`. Without an `else` that one is the condition that was false. */
  | 'then'
  | 'else'
  /** Sides of `? :`. */
  | 'yes'
  | 'no'
  /** The left side of `&&` or `||` decides, or the right one is asked. */
  | 'left'
  | 'right'
  | 'case';

export interface Branch extends Place {
  /** Its byte in the coverage area. */
  readonly id: number;
  readonly kind: BranchKind;
  /** What is the case if it is never taken: `pte_write(e) is never false`. */
  readonly never: string;
  /** What is written there, as offsets into the file; of an `else` that is not written, the condition. */
  readonly from: number;
  readonly to: number;
  /** The branch that it lies in. */
  readonly within: number;
  /** A knob decides: which side is taken depends on the kernel. */
  readonly knob: boolean;
}

const KNOB = /\bknob\(/;

export class CoverTransform implements Transform {
  readonly branches: Branch[] = [];
  readonly #folder: string;
  #function = '';
  #within = -1;

  /** Every function of the files under `folder` is watched, such as `assembly/mm/`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  afterParse(parser: Parser): void {
    for (const source of sourcesIn(parser, this.#folder)) for (const one of functionsOf(source)) this.#cover(one);
    const size = Math.max(this.branches.length, 1);
    parser.parseFile(
      `
@global const __coverage: usize = memory.data(${size});
@global @inline function __mark(id: u32): void { store<u8>(__coverage + (id as usize), 1); }
@global @inline function __marked(id: u32, value: bool): bool { __mark(id); return value; }
export function coverage_area(): usize { return __coverage; }
`,
      'assembly/coverage-runtime.ts',
      true,
    );
  }

  #cover(one: FunctionDeclaration): void {
    this.#function = one.name.text;
    this.#within = -1;
    const id = this.#branch(one.name, 'entry', `${this.#function} is never called`, one.body!);
    one.body = this.#inside(id, () => this.#marked(id, this.#visit(one.body!) as Statement));
  }

  #branch(at: Node, kind: BranchKind, never: string, written: Node): number {
    const id = this.branches.length;
    const within = this.#within;
    const knob = KNOB.test(never);
    const [from, to] = [startOf(written), written.range.end];
    this.branches.push({ id, ...placeOf(at, this.#function), kind, never, from, to, within, knob });
    return id;
  }

  #inside<T>(id: number, make: () => T): T {
    const outer = this.#within;
    this.#within = id;
    const made = make();
    this.#within = outer;
    return made;
  }

  #marked(id: number, statement: Statement): Statement {
    const { range } = statement;
    return block([callStatement('__mark', [number(id, range)], range), statement], range);
  }

  #side(id: number, expression: Expression): Expression {
    const { range } = expression;
    const visited = this.#inside(id, () => this.#visit(expression) as Expression);
    const both = Node.createCommaExpression([call('__mark', [number(id, range)], range), visited], range);
    return Node.createParenthesizedExpression(both, range);
  }

  #visit(node: Node): Node {
    switch (node.kind) {
      case NodeKind.If:
        return this.#if(node as IfStatement);
      case NodeKind.Ternary: {
        const choice = node as TernaryExpression;
        const text = textOf(choice.condition);
        choice.condition = this.#visit(choice.condition) as Expression;
        const yes = this.#branch(node, 'yes', `${text} is never true`, choice.ifThen);
        choice.ifThen = this.#side(yes, choice.ifThen);
        const no = this.#branch(node, 'no', `${text} is never false`, choice.ifElse);
        choice.ifElse = this.#side(no, choice.ifElse);
        return choice;
      }
      case NodeKind.Binary: {
        const { operator } = node as BinaryExpression;
        if (operator === Token.Ampersand_Ampersand || operator === Token.Bar_Bar)
          return this.#logical(node as BinaryExpression);
        break;
      }
      case NodeKind.Switch:
        return this.#switch(node as SwitchStatement);
    }
    mapChildren(node, (child) => this.#visit(child));
    return node;
  }

  #if(node: IfStatement): Node {
    const { condition, ifTrue, ifFalse } = node;
    const text = textOf(condition);
    node.condition = this.#visit(condition) as Expression;
    const then = this.#branch(node, 'then', `${text} is never true`, ifTrue);
    node.ifTrue = this.#inside(then, () => this.#marked(then, this.#visit(ifTrue) as Statement));
    const other = this.#branch(node, 'else', `${text} is never false`, ifFalse ?? condition);
    const { range } = node;
    node.ifFalse = ifFalse
      ? this.#inside(other, () => this.#marked(other, this.#visit(ifFalse) as Statement))
      : block([callStatement('__mark', [number(other, range)], range)], range);
    return node;
  }

  #logical(pair: BinaryExpression): Expression {
    const and = pair.operator === Token.Ampersand_Ampersand;
    const [left, right] = [textOf(pair.left), textOf(pair.right)];
    const visited = this.#visit(pair.left) as Expression;
    const decides = this.#branch(pair, 'left', `${left} is never ${and ? 'false' : 'true'}`, pair.left);
    const asked = this.#branch(pair.right, 'right', `${right} is never asked`, pair.right);
    const { range } = pair.left;
    const mark = call(
      '__marked',
      [number(decides, range), and ? falsity(range) : Node.createTrueExpression(range)],
      range,
    );
    pair.left = binary(and ? Token.Bar_Bar : Token.Ampersand_Ampersand, truth(visited), mark, range);
    pair.right = truth(this.#side(asked, pair.right));
    return pair;
  }

  #switch(node: SwitchStatement): Node {
    const text = textOf(node.condition);
    node.condition = this.#visit(node.condition) as Expression;
    for (const one of node.cases) {
      const label = one.label ? `${text} is never ${textOf(one.label)}` : `${text} is never another`;
      const id = this.#branch(one, 'case', label, one);
      const statements = this.#inside(id, () => one.statements.map((each) => this.#visit(each) as Statement));
      one.statements = [callStatement('__mark', [number(id, one.range)], one.range), ...statements];
    }
    return node;
  }
}

function falsity(range: Node['range']): Expression {
  return Node.createFalseExpression(range);
}
