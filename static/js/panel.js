/* The side panel: its width, the row it belongs to, where focus goes when it opens and closes. */
(() => {
  "use strict";

  const WIDTH = "brahmastra.why-width";
  const STEP = 24;
  const root = document.documentElement;
  let cameFrom = "";

  function setWidth(pixels) {
    const width = Math.min(Math.max(pixels, 320), Math.round(window.innerWidth * 0.6));
    root.style.setProperty("--why-width", `${width}px`);
    document.querySelector(".side-grip")?.setAttribute("aria-valuenow", String(width));
    return width;
  }

  const stored = Number(localStorage.getItem(WIDTH));
  if (stored) {
    setWidth(stored);
  }

  const side = document.getElementById("why");

  side.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest(".side-grip");
    if (!grip) {
      return;
    }
    grip.setPointerCapture(event.pointerId);
    const move = (moved) => setWidth(side.getBoundingClientRect().right - moved.clientX);
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", (up) => {
      grip.removeEventListener("pointermove", move);
      localStorage.setItem(WIDTH, String(setWidth(side.getBoundingClientRect().right - up.clientX)));
    }, { once: true });
  });

  side.addEventListener("keydown", (event) => {
    if (event.target.matches(".side-grip") && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      event.preventDefault();
      const width = side.getBoundingClientRect().width + (event.key === "ArrowLeft" ? STEP : -STEP);
      localStorage.setItem(WIDTH, String(setWidth(width)));
    }
  });

  document.addEventListener("click", (event) => {
    const copy = event.target.closest("#why-copy, [data-copies]");
    if (copy) {
      const text = copy.dataset.copies
        ? document.getElementById(copy.dataset.copies).textContent
        : new URL(copy.dataset.href, location.href).href;
      navigator.clipboard.writeText(text).then(() => {
        copy.textContent = "Copied";
      });
    }
  });

  function markRow() {
    const open = side.querySelector(".why");
    for (const row of document.querySelectorAll(".rows tbody tr[aria-current]")) {
      row.removeAttribute("aria-current");
    }
    if (open) {
      cameFrom = `row-${open.dataset.row}`;
      document.getElementById(cameFrom)?.setAttribute("aria-current", "true");
    }
  }

  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "why") {
      markRow();
      document.getElementById("why-title")?.focus({ preventScroll: true });
    } else if (event.detail.target.id === "rows" && cameFrom && !side.querySelector(".why")) {
      document.getElementById(cameFrom)?.querySelector("a")?.focus({ preventScroll: true });
      cameFrom = "";
    }
  });

  markRow();
})();
