/**
 * GPT-2's byte pairs: a text is cut into words, a word into bytes, each spelled as a printable letter
 * (a space is Ġ), and pairs are merged in the order in which they were learned.
 *
 * Sources: Sennrich et al. 2016; Radford et al. 2019.
 */

/** @typedef {{merges: string[], added: Record<string, number>}} Pairs  `added` are cut out of a text first */

const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The letter of each byte: those that are printable as they are, the others from 256 on. */
function byteLetters() {
  let spare = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printed = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(printed ? byte : spare++);
  });
}

/** A tokenizer of byte pairs. */
export class BytePairs {
  /** @param {string[]} tokens by their ids @param {Pairs} pairs */
  constructor(tokens, { merges, added }) {
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.ranks = new Map(merges.map((pair, rank) => [pair, rank]));
    this.added = added;
    this.letters = byteLetters();
    this.byteOf = new Map(this.letters.map((letter, byte) => [letter, byte]));
    const names = Object.keys(added).sort((a, b) => b.length - a.length);
    const escaped = names.map((name) => name.replace(/[\\^$.*+?()[\]{}|/]/gu, (sign) => `\\${sign}`));
    this.special = escaped.length ? new RegExp(`(${escaped.join('|')})`, 'u') : null;
  }

  /** @param {string} text @returns {number[]} */
  encode(text) {
    const parts = this.special ? text.split(this.special) : [text];
    return parts.flatMap((part, i) => (i % 2 ? [this.added[part]] : this.words(part)));
  }

  /** @param {string} text @returns {number[]} */
  words(text) {
    const encoder = new TextEncoder();
    return (text.match(WORDS) ?? []).flatMap((word) => {
      const letters = Array.from(encoder.encode(word), (byte) => this.letters[byte]);
      const known = letters.filter((letter) => this.ids.has(letter));
      return this.merged(known).map((token) => /** @type {number} */ (this.ids.get(token)));
    });
  }

  /** The pieces of a word, after the pair that was learned first has been merged, again and again. @param {string[]} pieces */
  merged(pieces) {
    const rank = (/** @type {number} */ i) => this.ranks.get(`${pieces[i]} ${pieces[i + 1]}`) ?? Infinity;
    for (;;) {
      let first = 0;
      for (let i = 1; i + 1 < pieces.length; i++) if (rank(i) < rank(first)) first = i;
      if (rank(first) === Infinity) return pieces;
      pieces.splice(first, 2, pieces[first] + pieces[first + 1]);
    }
  }

  /** The text of tokens; bytes that are not UTF-8 become U+FFFD. @param {string[]} tokens */
  decode(tokens) {
    const encoder = new TextEncoder();
    const bytes = tokens.flatMap((token) => {
      const own = [...token].map((letter) => this.byteOf.get(letter));
      return own.includes(undefined) ? [...encoder.encode(token)] : own;
    });
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(/** @type {number[]} */ (bytes)));
  }
}
