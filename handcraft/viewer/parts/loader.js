/**
 * Puts the script of the page in place: it stands there deflated, as base64. The page's policy names
 * the hash of what comes out, so nothing else would run.
 */
const squeezedSource = atob(/** @type {HTMLElement} */ (document.getElementById('source')).textContent ?? '');
const sourceBytes = Uint8Array.from(squeezedSource, (letter) => letter.charCodeAt(0));
const sourceStream = new Blob([sourceBytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
const pageScript = document.createElement('script');
pageScript.type = 'module';
pageScript.textContent = await new Response(sourceStream).text();
document.head.append(pageScript);
