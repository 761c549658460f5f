/**
 * Texts and the claim: a text as token ids and back, as handcraft/core/vocabulary.py has it, and which
 * prompts, contexts and texts the claim speaks about, as handcraft/claims has it.
 */

import { BytePairs } from './bytes.js';

/**
 * How a text becomes tokens: 'longest' cuts it by the longest of the first `known` tokens that
 * matches; 'ids' reads numbers between white space; 'bytes' are the byte pairs of GPT-2; 'list' reads
 * a JSON list of tokens, since the page has no tokenizer.
 * @typedef {{cut: 'longest' | 'ids' | 'bytes' | 'list', known?: number} & Partial<import('./bytes.js').Pairs>} Texts
 */
/** @typedef {import('./model.js').Claim} Claim */
/** @typedef {{ids: number[]} | {problem: string}} Encoded */
/**
 * Does the claim speak of these ids? If not, `why` says so; `refused` where `handcraft run` refuses
 * them too, and otherwise it continues them though nothing is claimed.
 * @typedef {{asked: true} | {asked: false, why: string, refused: boolean}} Asked
 */

const SHOWN = 12; // tokens in a message

/** The text with what is not seen written as \xNN or \uNNNN. @param {string} text */
export function printable(text) {
  return text.replace(/[\p{C}\p{Z}]/gu, (letter) => (letter === ' ' ? letter : escapedLetter(letter)));
}

/** @param {string} letter */
function escapedLetter(letter) {
  const code = /** @type {number} */ (letter.codePointAt(0)).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`;
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`;
}

/** @param {string} text */
function quoted(text) {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  return `${mark}${printable(text)}${mark}`;
}

/** @param {string[]} tokens */
function listed(tokens) {
  const more = tokens.length > SHOWN ? `, ... (${tokens.length} in all)` : '';
  return tokens.slice(0, SHOWN).map(quoted).join(', ') + more;
}

/** The tokens of a model, and what its claim asks. */
export class Prompts {
  /** @param {string} name the model's @param {string[]} tokens @param {Texts} texts @param {Claim} claim @param {number} nCtx */
  constructor(name, tokens, texts, claim, nCtx) {
    this.name = name;
    this.tokens = tokens;
    this.texts = texts;
    this.claim = claim;
    this.nCtx = nCtx;
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.stopId = this.idOf(claim.stop);
    this.pattern = claim.prompts === undefined ? null : new RegExp(`^(?:${claim.prompts})$`, 'u');
    const known = tokens.slice(0, texts.known ?? tokens.length);
    this.inTexts = new Set(known);
    const { merges, added } = texts;
    this.pairs = merges && added ? new BytePairs(tokens, { merges, added }) : null;
    this.lengths = [...new Set(known.map((token) => token.length))].sort((a, b) => b - a);
  }

  /** @param {string | null | undefined} token */
  idOf(token) {
    return (token === null || token === undefined ? undefined : this.ids.get(token)) ?? null;
  }

  // ------------------------------------------------------------ texts and ids

  /** The ids of a text, or what is wrong with it. @param {string} text @returns {Encoded} */
  encode(text) {
    if (text === '') return { problem: `the text is empty; it needs at least one of the tokens ${listed(this.tokens)}` };
    if (this.texts.cut === 'ids') return this.named(text.split(/\s+/u).filter(Boolean));
    if (this.texts.cut === 'list') return this.fromJson(text);
    return this.pairs ? this.fromBytes(text, this.pairs) : this.cut(text);
  }

  /** Cut by the longest token that matches. @param {string} text @returns {Encoded} */
  cut(text) {
    const ids = [];
    for (let at = 0; at < text.length; ) {
      const length = this.lengths.find((n) => at + n <= text.length && this.inTexts.has(text.slice(at, at + n)));
      if (length === undefined) return { problem: this.unmatched(text, at) };
      ids.push(/** @type {number} */ (this.ids.get(text.slice(at, at + length))));
      at += length;
    }
    return { ids };
  }

  /** @param {string} text @param {number} at */
  unmatched(text, at) {
    const letter = String.fromCodePoint(/** @type {number} */ (text.codePointAt(at)));
    const place = [...text.slice(0, at)].length;
    const known = [...this.inTexts];
    return (
      `no token matches '${printable(letter)}' at character ${place} of the text` +
      `${spaced(text, at, known)}; the vocabulary is ${listed(known)}`
    );
  }

  /** @param {string} text @param {BytePairs} pairs @returns {Encoded} */
  fromBytes(text, pairs) {
    const ids = pairs.encode(text);
    const back = this.decode(ids);
    if (back === text && ids.length) return { ids };
    return { problem: `the tokenizer cannot spell '${clipped(text)}': it reads '${clipped(back)}'` };
  }

  /** The tokens of a JSON list. @param {string} text @returns {Encoded} */
  fromJson(text) {
    const wanted = 'this page has no tokenizer, so a text is a JSON list of tokens such as';
    const problem = { problem: `${wanted} ${JSON.stringify(this.tokens.slice(0, 2))}` };
    try {
      const tokens = JSON.parse(text);
      return Array.isArray(tokens) && tokens.length ? this.named(tokens.map(String)) : problem;
    } catch {
      return problem;
    }
  }

  /** The ids of tokens. @param {string[]} tokens @returns {Encoded} */
  named(tokens) {
    const unknown = tokens.find((token) => !this.ids.has(token));
    if (unknown !== undefined) {
      return { problem: `the token '${printable(unknown)}' is not in the vocabulary ${listed(this.tokens)}` };
    }
    if (!tokens.length) return { problem: 'the text is white space; it needs at least one id' };
    return { ids: tokens.map((token) => /** @type {number} */ (this.ids.get(token))) };
  }

  /** The text of the ids. @param {number[]} ids */
  decode(ids) {
    const tokens = ids.map((id) => this.tokens[id]);
    if (this.texts.cut === 'list') return JSON.stringify(tokens);
    if (this.pairs) return this.pairs.decode(tokens);
    return tokens.join(this.texts.cut === 'ids' ? ' ' : '');
  }

  /** Tokens as they are shown in a message. @param {number[]} ids */
  shown(ids) {
    return printable(this.decode(ids));
  }

  // ------------------------------------------------------------ the claim

  /** Does the claim speak about this prompt, context or text? @param {number[]} ids @returns {Asked} */
  asked(ids) {
    const { speaks } = this.claim;
    if (speaks === 'prompts') return this.askedPrompt(ids);
    if (ids.length > this.nCtx) {
      return silent(`${ids.length} tokens do not fit the context window of ${this.nCtx}: the last ${this.nCtx} are read`);
    }
    if (speaks === 'nothing') return silent(`${printable(this.name)} makes no claim`);
    return speaks === 'texts' ? this.askedText(ids) : this.askedContext(ids);
  }

  /** @param {number[]} ids @returns {Asked} */
  askedPrompt(ids) {
    const { pattern, longest = 0, example = '', rooms = [] } = this.claim;
    const text = this.decode(ids);
    const cut = this.cut(text);
    const same = 'ids' in cut && cut.ids.join() === ids.join();
    if (!same || !this.pattern?.test(text) || [...text].length > longest) {
      const domain = `its prompts match '${clipped(pattern ?? '')}', such as '${printable(example)}', and fit ${this.nCtx} tokens with their answer`;
      return { asked: false, why: `'${printable(text)}' is not a prompt of ${printable(this.name)}; ${domain}`, refused: true };
    }
    if (!rooms[ids.length]) {
      return { asked: false, why: `'${printable(text)}' and its answer do not fit the ${this.nCtx} tokens of ${printable(this.name)}`, refused: true };
    }
    return { asked: true };
  }

  /** @param {number[]} ids @returns {Asked} */
  askedText(ids) {
    const { begin = null, alphabet = null } = this.claim;
    const first = begin === null ? 0 : 1;
    if (begin !== null && this.tokens[ids[0]] !== begin) return silent(`each text of the claim begins with ${quoted(begin)}`);
    if (ids.length <= first) return silent(`the claim says nothing of ${quoted(this.decode(ids))} alone`);
    const other = ids.slice(first).find((id) => alphabet !== null && !alphabet.includes(this.tokens[id]));
    if (other === undefined) return { asked: true };
    return silent(`${quoted(this.tokens[other])} is not in a text of the claim, whose tokens are ${listed(alphabet ?? [])}`);
  }

  /** @param {number[]} ids @returns {Asked} */
  askedContext(ids) {
    const { endings } = this.claim;
    const ends = (/** @type {number[]} */ ending) => ending.length <= ids.length && ids.slice(ids.length - ending.length).join() === ending.join();
    if (!endings || endings.some(ends)) return { asked: true };
    return silent(`the claim is silent after '${this.shown(ids)}'`);
  }

  /** The prompt of a text that stands alone, where the claim frames it; and how many tokens of what follows are echoes. @param {number[]} ids @returns {{ids: number[], echoed: number}} */
  framed(ids) {
    const frame = this.claim.framed;
    if (!frame) return { ids: [...ids], echoed: 0 };
    const [first, last] = [this.idOf(frame[0]), this.idOf(frame[1])];
    const whole = ids[0] === first || first === null || last === null ? [...ids] : [first, ...ids, last];
    return { ids: whole, echoed: frame[2] * (whole.length - 1) };
  }

  /** A text with the token in front that each text of the claim begins with. @param {number[]} ids */
  begun(ids) {
    const begin = this.idOf(this.claim.begin);
    return begin === null || ids[0] === begin ? [...ids] : [begin, ...ids];
  }

  /** How many tokens stand before those that the claim speaks of. */
  get skipped() {
    return this.idOf(this.claim.begin) === null ? 0 : 1;
  }

  /** How many tokens may follow a prompt; null where the window slides. @param {number[]} ids @returns {number | null} */
  room(ids) {
    return this.claim.speaks === 'prompts' ? (this.claim.rooms?.[ids.length] ?? 0) : null;
  }
}

/** @param {string} why @returns {Asked} */
function silent(why) {
  return { asked: false, why, refused: false };
}

/** @param {string} text */
function clipped(text) {
  const letters = [...text];
  return printable(letters.length <= 60 ? text : `${letters.slice(0, 60).join('')}...`);
}

/** The advice where a space is missing, or stands by itself. @param {string} text @param {number} at @param {string[]} tokens */
function spaced(text, at, tokens) {
  if (text[at] === ' ') return "; a space belongs to a token, as in ' Anna', and is never left out";
  for (const token of tokens) {
    const word = token.trimStart();
    if (word && word !== token && text.startsWith(word, at)) return `; the token ${quoted(token)} begins with a space`;
  }
  return '';
}
