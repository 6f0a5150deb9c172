/* Keyboard: one key to anything. Ignored while typing, and can be switched off (WCAG 2.1.4). */
(() => {
  "use strict";

  const OFF = "brahmastra.keys-off";
  let afterG = 0;

  const rows = () => [...document.querySelectorAll(".rows tbody a.row-link")];
  const off = () => localStorage.getItem(OFF) === "1";

  function typing(target) {
    return target.closest("input, select, textarea, [contenteditable]") !== null;
  }

  function moveRow(step) {
    const links = rows();
    if (links.length === 0) {
      return;
    }
    let at = links.indexOf(document.activeElement);
    if (at === -1) {
      at = links.findIndex((link) => link.closest("tr").getAttribute("aria-current") === "true");
    }
    const next = at === -1 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
  }

  function openWhy() {
    const links = rows();
    const link = links.includes(document.activeElement) ? document.activeElement : links[0];
    if (link) {
      link.click();
    }
  }

  function moveCard(step) {
    const cards = [...document.querySelectorAll(".spine .link")];
    const at = cards.findIndex((card) => card.contains(document.activeElement));
    const next = cards[at === -1 ? 0 : Math.min(cards.length - 1, Math.max(0, at + step))];
    if (next) {
      next.querySelector("a, summary").focus();
      next.scrollIntoView({ block: "nearest" });
    }
  }

  // A modal dialog gives focus back to where it was by itself.
  function openDialog(id) {
    document.getElementById(id).showModal();
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    const closer = event.target.closest("[data-closes]");
    if (opener) {
      event.preventDefault();
      openDialog(opener.dataset.opens);
    } else if (closer) {
      document.getElementById(closer.dataset.closes).close();
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    }
  });

  const switchOff = document.getElementById("keys-off");
  switchOff.checked = off();
  switchOff.addEventListener("change", () => localStorage.setItem(OFF, switchOff.checked ? "1" : "0"));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
      return;
    }
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      const close = document.getElementById("why-close");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else if (typing(event.target)) {
        event.target.blur();
      } else if (close) {
        close.click();
      }
      return;
    }
    if (typing(event.target) || off()) {
      return;
    }
    if (afterG && Date.now() - afterG < 1500) {
      afterG = 0;
      const room = document.querySelector(`.rooms nav a[data-key="${CSS.escape(event.key)}"]`);
      if (room) {
        event.preventDefault();
        room.click();
      }
      return;
    }
    const inSpine = event.target.closest(".why") !== null;
    const actions = {
      g: () => { afterG = Date.now(); },
      "?": () => openDialog("help"),
      j: () => moveRow(1),
      k: () => moveRow(-1),
      w: openWhy,
      "/": () => document.querySelector(".filters select, .filters input")?.focus(),
      c: () => document.getElementById("why-copy")?.click(),
    };
    if (inSpine) {
      actions.ArrowDown = () => moveCard(1);
      actions.ArrowUp = () => moveCard(-1);
    }
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
})();
