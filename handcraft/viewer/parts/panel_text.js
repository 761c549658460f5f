// The text: typed, cut into tokens, and a position of it chosen. Below each token stands what the model expects after it.

import { button, fill, find, make, name } from './dom.js';
import { argmax } from './decoding.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 * @param {(text: string) => void} write what typing calls
 */
export function textPanel(view, root, write) {
  const input = /** @type {HTMLTextAreaElement} */ (find(root, '.text'));
  const hasLines = view.model.tokens.some((token) => token.includes('\n'));
  input.addEventListener('keydown', (event) => event.key === 'Enter' && !hasLines && event.preventDefault());
  input.addEventListener('input', () => write(input.value));
  input.setAttribute('aria-describedby', find(root, '.problem').id = `problem-${view.id}`);
  fill(find(root, '.examples'), ...examples(view).flatMap(([words, text]) => [button(words, () => write(text)), ' ']));
  return () => {
    if (input.value !== view.text) input.value = view.text;
    find(root, '.problem').textContent = view.problem || view.overflow || view.unasked;
    fill(find(root, '.tokens'), ...view.ids.map((_, i) => tokenButton(view, i)));
  };
}

/**
 * Texts to begin with, each with the words on its button.
 * @param {import('./state.js').View} view
 * @returns {[string, string][]}
 */
function examples({ model }) {
  const { counterexample, leastMarginAt } = model.verdict ?? {};
  /** @type {[string, string][]} */
  const found = [];
  if (counterexample) found.push(['Where it is wrong', counterexample.tokens.join('')]);
  if (leastMarginAt) found.push(['Where the margin is least', leastMarginAt.join('')]);
  const meant = [counterexample?.tokens, leastMarginAt].filter((tokens) => tokens);
  return found.filter((_, i) => isCutInto(model, meant[i] ?? []));
}

/**
 * Is the text of these tokens cut into them again? Not where `a` and `b` stand side by side and `ab` is a token.
 * @param {import('./model.js').Model} model
 * @param {string[]} tokens
 */
export function isCutInto(model, tokens) {
  const found = model.encode(tokens.join(''));
  return 'ids' in found && found.ids.length === tokens.length && found.ids.every((id, i) => model.tokens[id] === tokens[i]);
}

/**
 * @param {import('./state.js').View} view
 * @param {number} position
 */
function tokenButton(view, position) {
  const token = view.model.tokens[view.ids[position]];
  const logits = view.pass?.logits[position];
  const next = (/** @type {Float32Array | undefined} */ from) => (from ? view.model.tokens[argmax(from)] : '');
  const was = next(view.before?.logits[position] ?? logits);
  const isOther = was !== next(logits);
  return make('button', {
    type: 'button', 'aria-pressed': position === view.at, 'data-key': `token ${position}`,
    onclick: () => view.change({ at: position }),
  }, make('small', {}, String(position)), name(token), make('small', {}, '→ ', name(next(logits))), isOther && make('small', { class: 'wrong' }, 'was ', name(was)));
}
