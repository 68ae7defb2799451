// What the file of the page holds beside its code, by the id of the element.

export function held(id: string): string {
  const text = document.getElementById(id)?.textContent;
  if (!text) throw new Error(`this file holds no ${id}`);
  return text;
}

/** The WebAssembly module. */
export function heldModule(): Uint8Array {
  return Uint8Array.from(atob(held('module')), (char) => char.charCodeAt(0));
}
