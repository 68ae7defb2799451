// What both transforms need of the compiler's syntax tree: functions, children, texts and places.
import {
  type Expression,
  type FunctionDeclaration,
  Node,
  NodeKind,
  type Parser,
  type Range,
  type Source,
  type Statement,
  Token,
} from 'assemblyscript';

/** A hook of asc: the tree is complete, nothing of it is compiled. */
export interface Transform {
  afterParse(parser: Parser): void;
}

/** Where a node stands. */
export interface Place {
  /** From the root of the package: `assembly/mm/memory.ts`. */
  readonly file: string;
  /** The function that it stands in. */
  readonly function: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Puts `map(child)` in the place of each child, in the order of the text. */
export function mapChildren(node: Node, map: (child: Node) => Node): void {
  const fields = node as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Node) fields[key] = map(value);
    else if (Array.isArray(value))
      for (const [i, item] of value.entries()) if (item instanceof Node) value[i] = map(item);
  }
}

/** Every function of a file that has a body, in the order of the text. */
export function functionsOf(source: Source): FunctionDeclaration[] {
  const found: FunctionDeclaration[] = [];
  const look = (node: Node): Node => {
    if (node.kind === NodeKind.FunctionDeclaration) {
      if ((node as FunctionDeclaration).body) found.push(node as FunctionDeclaration);
    } else mapChildren(node, look);
    return node;
  };
  for (const statement of source.statements) look(statement);
  return found;
}

/** Files of `folder`, in the order of their names; `*` is all that is not of the library. */
export function sourcesIn(parser: Parser, folder: string): Source[] {
  return parser.sources
    .filter(({ normalizedPath: path }) => path.startsWith(folder))
    .sort((a, b) => (a.normalizedPath < b.normalizedPath ? -1 : 1));
}

/** The node as it is written, on one line. */
export function textOf({ range }: Node): string {
  return range.source.text.slice(range.start, range.end).replace(/\s+/g, ' ');
}

/** Where the node's text begins: the ranges of cases begin with the token before. */
export function startOf({ kind, range: { source, start } }: Node): number {
  return start + source.text.slice(start).search(kind === NodeKind.SwitchCase ? /\b(?:case|default)\b/ : /\S/);
}

export function placeOf(node: Node, name: string): Place {
  const { range } = node;
  const before = range.source.text.slice(0, startOf(node)).split('\n');
  return {
    file: range.source.normalizedPath,
    function: name,
    line: before.length,
    column: before.at(-1)!.length + 1,
  };
}

/** A node from the parentheses around it. */
export function bare(node: Expression): Expression {
  let inner = node;
  while (inner.kind === NodeKind.Parenthesized) inner = (inner as Expression & { expression: Expression }).expression;
  return inner;
}

// Nodes that a transform adds. They take the place of another, so that traps name its line.

export function identifier(name: string, range: Range): Expression {
  return Node.createIdentifierExpression(name, range);
}

export function call(name: string, args: Expression[], range: Range): Expression {
  return Node.createCallExpression(identifier(name, range), null, args, range);
}

export function callStatement(name: string, args: Expression[], range: Range): Statement {
  return Node.createExpressionStatement(call(name, args, range));
}

export function number(value: number, range: Range): Expression {
  return Node.createIntegerLiteralExpression(i64_new(value), range);
}

export function binary(operator: Token, left: Expression, right: Expression, range: Range): Expression {
  return parenthesized(Node.createBinaryExpression(operator, left, right, range));
}

export function parenthesized(node: Expression): Expression {
  return Node.createParenthesizedExpression(node, node.range);
}

/** true or false, whatever type the expression has. */
export function truth(node: Expression): Expression {
  const not = (inner: Expression) =>
    Node.createUnaryPrefixExpression(Token.Exclamation, parenthesized(inner), node.range);
  return parenthesized(not(not(node)));
}

/** `statement` with others before it. */
export function block(statements: Statement[], range: Range): Statement {
  return Node.createBlockStatement(statements, range);
}
