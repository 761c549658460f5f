// What was proved or refuted about the program: in a badge above, in numbers below.

import { fill, find, make, name, number, visible } from './dom.js';
import { isCutInto } from './panel_text.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} badge
 * @param {HTMLElement} root
 */
export function verdictPanel(view, badge, root) {
  const { verdict } = view.model;
  const brief = verdict ? inBrief(view.model, verdict) : 'not verified';
  if (verdict) fill(find(root, '.drawn'), details(view));
  root.hidden = !verdict;
  return () => {
    badge.className = `badge ${verdict && isWrong(verdict) ? 'wrong' : ''} ${view.done ? 'edited' : ''}`;
    badge.textContent = view.done ? 'edited: the verdict is about the program as written' : brief;
  };
}

/** Also without a counterexample, where other weights are in their place. @param {Pick<import('./model.js').Verdict, 'verdict' | 'counterexample'>} found */
function isWrong({ verdict, counterexample }) {
  return verdict === 'refuted' || Boolean(counterexample);
}

/**
 * @param {import('./model.js').Model} model
 * @param {import('./model.js').Verdict} verdict
 */
function inBrief(model, { verdict, method, margin, contexts, checked, counterexample }) {
  if (counterexample) return `✗ ${verdict}: wrong after ${visible(textIn(model, counterexample.tokens))}`;
  if (verdict === 'refuted') return '✗ refuted: the weights are not what the rules say';
  if (verdict === 'unknown' || !Number(checked)) return verdict;
  const sign = verdict === 'proved' ? '✓ ' : '';
  const least = margin === null ? '' : `, least margin ${number(margin)}`;
  const spoken = model.claim.speaks === 'nothing' ? 'contexts' : model.claim.speaks;
  const [some, all] = [checked, contexts].map((many) => rounded(Number(many)));
  const every = checked === contexts ? `all ${all} ${spoken}` : `all ${some} ${spoken} of the claim`;
  const asked = method === 'sampled' ? `${some} drawn ${spoken}` : every; // drawn ones are not all that there are
  return `${sign}${verdict} on ${asked}${least}`;
}

/**
 * A number of contexts, in few digits; the verdict below has them all.
 * @param {number} many
 */
function rounded(many) {
  return many < 1e9 ? String(many) : many.toExponential(2).replace(/\.?0*e\+/, 'e');
}

/** The text of tokens; where it is cut into others, the tokens one by one. @param {import('./model.js').Model} model @param {string[]} tokens */
function textIn(model, tokens) {
  return isCutInto(model, tokens) ? tokens.join('') : tokens.map((token) => `'${token}'`).join(' ');
}

/** @param {import('./state.js').View} view */
function details({ model }) {
  const textOf = (/** @type {string[]} */ tokens) => textIn(model, tokens);
  const { verdict, method, margin, leastMarginAt, contexts, checked, accuracy, dtype, errorBound, hash, counterexample, report } =
    /** @type {import('./model.js').Verdict} */ (model.verdict);
  const place = (/** @type {number | null | undefined} */ at) => (at === null || at === undefined ? '' : `, position ${at}`);
  /** @type {[string, string | null | undefined | false][]} */
  const rows = [
    ['verdict', `${verdict} (${method}, ${dtype})`],
    ['claim', model.claim.text],
    ['contexts', `${contexts} covered, ${checked} where the claim speaks`],
    ['accuracy', accuracy !== null && number(accuracy)],
    ['accuracy at least', report.accuracy_at_least && `${report.accuracy_at_least}: ${report.covered} are surely right`],
    ['least margin', margin !== null && number(margin)],
    ['least margin after', leastMarginAt && textOf(leastMarginAt) + place(report.min_margin_position)],
    ['rounding', errorBound !== null && `at most ${number(errorBound)}, in any order of summation`],
    ['certificate', hash],
    ['wrong after', counterexample && textOf(counterexample.tokens) + place(counterexample.position)],
    ['failed', report.failed && `the ${report.failed.join(' and the ')}`],
    ['largest probability error', report.max_probability_error && number(report.max_probability_error)],
    ['largest error of the lane', report.max_lane_error && number(report.max_lane_error)],
    ['expected', counterexample && [counterexample.expected].flat().map(String).join(' or ')],
    ['found', counterexample && String(counterexample.got)],
    ['why not more', report.reason],
    ['taken for granted', report.assumptions?.join('; ')],
  ];
  return make('dl', {}, ...rows.flatMap(([term, said]) => (said ? [make('dt', {}, term), make('dd', {}, name(said))] : [])));
}
