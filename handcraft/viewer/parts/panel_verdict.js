// What was proved or refuted about the program: in a badge above, in numbers below.

import { fill, find, make, name, number } from './dom.js';

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
    badge.className = `badge ${verdict?.counterexample ? 'wrong' : ''} ${view.done ? 'edited' : ''}`;
    badge.textContent = view.done ? 'edited: the verdict is about the program as written' : brief;
  };
}

/**
 * @param {import('./model.js').Model} model
 * @param {import('./model.js').Verdict} verdict
 */
function inBrief(model, { verdict, margin, contexts, checked, counterexample }) {
  const sign = counterexample ? '✗ ' : verdict === 'proved' ? '✓ ' : '';
  const least = margin === null ? '' : `, least margin ${number(margin)}`;
  const spoken = model.claim.speaks === 'nothing' ? 'contexts' : model.claim.speaks;
  const [some, all] = [checked, contexts].map((many) => rounded(Number(many)));
  const many = checked === contexts ? `all ${all} ${spoken}` : verdict === 'proved' ? `all ${some} ${spoken} of the claim` : `${some} of ${all} ${spoken}`;
  return `${sign}${verdict} on ${many}${least}`;
}

/**
 * A number of contexts, in few digits; the verdict below has them all.
 * @param {number} many
 */
function rounded(many) {
  return many < 1e9 ? String(many) : many.toExponential(2).replace(/\.?0*e\+/, 'e');
}

/** @param {import('./state.js').View} view */
function details({ model }) {
  const { verdict, method, margin, leastMarginAt, contexts, checked, accuracy, dtype, errorBound, hash, counterexample, report } =
    /** @type {import('./model.js').Verdict} */ (model.verdict);
  const place = (/** @type {number | null | undefined} */ at) => (at === null || at === undefined ? '' : `, position ${at}`);
  /** @type {[string, string | null | undefined | false][]} */
  const rows = [
    ['verdict', `${verdict} (${method}, ${dtype})`],
    ['claim', model.claim.text],
    ['contexts', `${contexts} covered, ${checked} where the claim speaks`],
    ['accuracy', accuracy !== null && number(accuracy)],
    ['least margin', margin !== null && number(margin)],
    ['least margin after', leastMarginAt && leastMarginAt.join('') + place(report.min_margin_position)],
    ['rounding', errorBound !== null && `at most ${number(errorBound)}, in any order of summation`],
    ['certificate', hash],
    ['wrong after', counterexample && counterexample.tokens.join('') + place(counterexample.position)],
    ['expected', counterexample && [counterexample.expected].flat().map(String).join(' or ')],
    ['found', counterexample && String(counterexample.got)],
    ['why not more', report.reason],
    ['taken for granted', report.assumptions?.join('; ')],
  ];
  return make('dl', {}, ...rows.flatMap(([term, said]) => (said ? [make('dt', {}, term), make('dd', {}, name(said))] : [])));
}
