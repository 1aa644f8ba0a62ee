// Text that a server, a registry or a file may have written: shown as it is, never obeyed.

/** C0 and C1 controls but tab and line feed, marks that turn or hide text, lone surrogates, and tag characters. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff9-\ufffb\ud800-\udfff]|[\u{e0000}-\u{e0fff}]/gu;

/** Makes hidden characters visible and cuts what is longer than `longest` characters. */
export function visible(text: string, longest = 600): string {
  const characters = text.length > longest ? Array.from(text.slice(0, longest * 2)) : null;
  const cut = characters && characters.length > longest ? characters.slice(0, longest).join('') + '…' : text;
  return cut.replace(HIDDEN, (hidden) => `\\u{${hidden.codePointAt(0)?.toString(16)}}`);
}

/** The same, begun as a sentence: the API's texts begin small, as parts of one. */
export function sentence(text: string, longest?: number): string {
  return visible(text, longest).replace(/^[a-z]/, (first) => first.toUpperCase());
}

/** `1 session`, `2 sessions`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
