// XML as text: escaped, and without the characters that XML 1.0 takes in no form.

/** All but Char of XML 1.0; also halves of surrogate pairs. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string, characters: RegExp): string {
  return text
    .replaceAll(FORBIDDEN, '')
    .replaceAll(characters, (character) => NAMED[character] ?? `&#${character.charCodeAt(0)};`);
}

/** Character data. Parsers make a line feed of a carriage return that stands for itself. */
export function xmlText(text: string): string {
  return escaped(text, /[&<>\r]/g);
}

/** The value of an attribute. Parsers make a blank of any other white space that stands for itself. */
function xmlValue(text: string): string {
  return escaped(text, /[&<>"\t\n\r]/g);
}

/** An element; `content` is XML. */
export function xmlElement(name: string, attributes: Readonly<Record<string, string | number>>, content = ''): string {
  const start = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${xmlValue(String(value))}"`)];
  return content === '' ? `<${start.join(' ')}/>` : `<${start.join(' ')}>${content}</${name}>`;
}
