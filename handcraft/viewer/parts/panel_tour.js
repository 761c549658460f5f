// A tour of the program: what its author says about it, then its rules one after the other, each with its cells pointed out.

import { fill, find, make, name } from './dom.js';
import { pointOut, ruleLines } from './panel_rules.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function tourPanel(view, root) {
  const { docs } = view.model;
  const groups = view.groups.filter(({ source }) => source);
  const last = docs.length + groups.length - 1;
  let stop = 0;
  const go = (/** @type {number} */ by) => {
    stop = Math.max(0, Math.min(last, stop + by));
    const group = groups[stop - docs.length];
    if (group) pointOut(view, group.rules);
    else view.change({ rules: [] });
  };
  root.hidden = last < 0;
  find(root, '.back').addEventListener('click', () => go(-1));
  find(root, '.on').addEventListener('click', () => go(1));
  return () => {
    const group = groups[stop - docs.length];
    find(root, '.count').textContent = `${stop + 1} of ${last + 1}`;
    fill(find(root, '.words'), ...(group ? [
      make('p', {}, name(group.path), ' ', make('span', { class: 'soft' }, name(group.source))), ruleLines(view, group.rules),
    ] : [make('p', {}, docs[stop] ?? '')]));
  };
}
