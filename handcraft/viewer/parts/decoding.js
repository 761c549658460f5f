/**
 * How a text goes on: one token at a time, as handcraft/core/decoding.py and `handcraft run` add them.
 */

import { emptyCache, forward, lastLogits } from './gpt2.js';

/** @typedef {import('./model.js').Model} Model */

/** The place of the greatest number, the first of several. @param {Float32Array} logits */
export function argmax(logits) {
  return logits.reduce((best, value, i) => (value > logits[best] ? i : best), 0);
}

const UNASKED = 20; // tokens added where neither a number nor the claim says how many

/**
 * The ids that follow a prompt, greedily, as `handcraft run` adds them: n of them, or up to and
 * including the stop token, or as many as the claim allows. Past the window the oldest token is
 * dropped. Of a prompt whose text may stand alone, ids are those of model.framed(ids).
 * @param {Model} model
 * @param {number[]} ids
 * @param {number} [n]
 * @param {(logits: Float32Array) => number} [choose] takes a token otherwise
 * @returns {number[]}
 */
export function greedyRun(model, ids, n, choose = argmax) {
  const limits = [model.room(ids), n ?? null].filter((limit) => limit !== null);
  const most = limits.length ? Math.min(...limits) : UNASKED;
  const tokens = [...ids];
  let cache = emptyCache(model);
  while (tokens.length < ids.length + most) {
    const inside = model.causal && tokens.length <= model.nCtx;
    if (!inside) cache = emptyCache(model);
    tokens.push(choose(lastLogits(model, inside ? tokens.slice(cache.seen) : tokens.slice(-model.nCtx), cache)));
    if (tokens[tokens.length - 1] === model.stopId) break;
  }
  return tokens.slice(ids.length);
}

/**
 * What `handcraft run` says to a text: the ids that are read (with the signs of its frame, or the token
 * that texts begin with), those that follow, and those that are the answer: without echoes and stop
 * token, or, where the claim is about each position, the likeliest token at each.
 * @param {Model} model
 * @param {number[]} given
 * @param {number} [n] at most so many tokens; a text is then continued, whatever the claim is about
 * @param {(logits: Float32Array) => number} [choose] takes a token otherwise
 * @returns {{ids: number[], added: number[], answer: number[]}}
 */
export function answer(model, given, n, choose = argmax) {
  if (model.claim.speaks === 'texts' && n === undefined) {
    const whole = model.prompts.begun(given);
    const { logits } = forward(model, whole);
    return { ids: whole, added: [], answer: logits.slice(model.prompts.skipped).map(argmax) };
  }
  const { ids, echoed } = model.framed(given);
  const added = greedyRun(model, ids, n, choose);
  if (ids.join() === given.join()) return { ids, added, answer: added };
  const ended = added[added.length - 1] === model.stopId;
  return { ids, added, answer: (ended ? added.slice(0, -1) : added).slice(echoed) };
}
