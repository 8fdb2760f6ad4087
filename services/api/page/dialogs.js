// The guideline and the list of keys.

import { KEYS, setSingleKeys, singleKeys } from "./keys.js";
import { element } from "./view.js";

export function prepareDialogs() {
  element("key-list").append(...KEYS.flatMap(keyEntry));
  element("single-keys").checked = singleKeys();
  element("single-keys").addEventListener("change", (event) => setSingleKeys(event.target.checked));
  closeByItsOwnKey(element("guideline"), "g");
  closeByItsOwnKey(element("help"), "?");
}

function keyEntry({ shown, says }) {
  const term = document.createElement("dt");
  term.append(...shown.flatMap((key) => [Object.assign(document.createElement("kbd"), { textContent: key }), " "]));
  return [term, Object.assign(document.createElement("dd"), { textContent: says })];
}

function closeByItsOwnKey(dialog, key) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== key || !singleKeys()) return;
    event.stopPropagation(); // or the page would open it again
    dialog.close();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-act=close]")) dialog.close();
  });
}

export function openDialog(id) {
  element(id).showModal();
  element(id).querySelector("[tabindex='0']").focus();
}

// The guideline of the campaign at hand, fetched before anybody asks for it, so that it opens at once and offline.
export function createGuideline(api) {
  let shown = "";

  async function load(campaign, version = 0) {
    if (shown.startsWith(`${campaign} `) && Number(shown.split(" ")[1]) >= version) return;
    try {
      const guideline = await api.guideline(campaign);
      shown = `${campaign} ${guideline.version}`;
      fillGuideline(guideline);
    } catch (error) {
      if (!shown) noGuideline(error.message);
    }
  }

  return { load, open: () => openDialog("guideline") };
}

function fillGuideline({ html, version }) {
  element("guideline-title").textContent = `Guideline, version ${version}`;
  element("guideline-text").innerHTML = html || "<p>This campaign has no guideline yet. Ask your lead what matters here.</p>";
}

function noGuideline(message) {
  const text = Object.assign(document.createElement("p"), { textContent: `The guideline can't be shown now. ${message}` });
  element("guideline-text").replaceChildren(text);
}
