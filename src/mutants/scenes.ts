// Situations that programs drawn at random hardly ever come to, and that decisions of the handler are about.

export interface Scene {
  /** What is special about it. */
  readonly what: string;
  readonly program: string;
}

export const SCENES: readonly Scene[] = [];
