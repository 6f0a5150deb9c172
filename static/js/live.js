/* The live figures: socket state, staleness, the clock and the banner. The socket only ever pushes;
   everything that changes something is a form. No attribute on the page holds code: all is here. */
(() => {
  "use strict";

  const STALE_MS = 3000;
  const CODE_SIGNED_OUT = 4401;
  const CODE_NOT_ALLOWED = 4403;
  const CODE_RESYNC = 4000;

  const body = document.body;
  const byId = (id) => document.getElementById(id);
  let lastFrameAt = Date.now();
  let serverAheadMs = 0; // server clock − this machine's clock
  let wasOpen = false;
  let paused = false;
  let ended = ""; // "signed-out" or "not-allowed": no reconnecting
  let connected = false;
  let shown = "";

  htmx.config.wsReconnectDelay = (attempt) =>
    Math.min(5000, 500 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);

  const BANNERS = {
    stale: ["warn", "Figures are not current.", "The connection is open but nothing has arrived for more than 3 s."],
    down: ["stop", "Disconnected.", "Figures are as they were when the connection broke. It is being tried again; trading does not depend on this page."],
    "signed-out": ["stop", "Signed out.", "Your session has ended. Reload the page to sign in again."],
    "not-allowed": ["stop", "Not allowed.", "Your role does not include live figures any more."],
    paused: ["warn", "Updates are paused.", "Press the button beside the clock to go on."],
  };

  function show(state) {
    if (state === shown) {
      return;
    }
    shown = state;
    body.dataset.live = state === "not-allowed" ? "signed-out" : state;
    byId("pulse").setAttribute("aria-pressed", String(paused));
    const words = BANNERS[state];
    const banner = byId("banner");
    banner.hidden = !words;
    if (words) {
      banner.dataset.tone = words[0];
      byId("banner-title").textContent = words[1];
      byId("banner-text").textContent = words[2];
    }
  }

  function state() {
    if (ended) {
      return ended;
    }
    if (paused) {
      return "paused";
    }
    if (!connected) {
      return wasOpen || Date.now() - lastFrameAt > STALE_MS ? "down" : "waiting";
    }
    return Date.now() - lastFrameAt > STALE_MS ? "stale" : "live";
  }

  function span(seconds) {
    if (seconds < 10) {
      return `${Math.max(0, seconds).toFixed(1)} s`;
    }
    if (seconds < 100) {
      return `${Math.round(seconds)} s`;
    }
    if (seconds < 6000) {
      return `${Math.round(seconds / 60)} min`;
    }
    if (seconds < 172800) {
      return `${(seconds / 3600).toFixed(1)} h`;
    }
    return `${Math.round(seconds / 86400).toLocaleString("en-IN")} d`;
  }

  const istFormat = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Kolkata", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

  function tick() {
    const now = Date.now() + serverAheadMs;
    const current = state();
    show(current);
    const age = (Date.now() - lastFrameAt) / 1000;
    const text = current === "live" ? `live ${age.toFixed(1)} s` : current === "stale" ? `stale ${span(age)}` : { waiting: "waiting", down: "disconnected", paused: "paused" }[current] || "signed out";
    byId("pulse-text").textContent = text;
    const clock = byId("clock").querySelector("time") || byId("clock");
    clock.textContent = istFormat.format(now);
    if (!paused) {
      for (const element of document.querySelectorAll("[data-age-of]")) {
        element.textContent = span((now - Number(element.dataset.ageOf) / 1000) / 1000);
      }
    }
  }

  function readBeat() {
    const us = Number(byId("live-beat").dataset.nowUs);
    if (us) {
      serverAheadMs = us / 1000 - Date.now();
    }
  }

  function resync() {
    htmx.trigger(body, "live:resync");
  }

  body.addEventListener("htmx:wsOpen", () => {
    connected = true;
    wasOpen = true;
    ended = "";
    lastFrameAt = Date.now();
    resync(); // messages may have been missed: a snapshot first, then the stream
    tick();
  });

  body.addEventListener("htmx:wsClose", (event) => {
    connected = false;
    const code = event.detail.event.code;
    if (code === CODE_SIGNED_OUT) {
      ended = "signed-out";
    } else if (code === CODE_NOT_ALLOWED) {
      ended = "not-allowed";
    } else if (code === CODE_RESYNC || code === 1000 || code === 1001) {
      // The extension reconnects only on 1006 and 1011 to 1013.
      setTimeout(() => event.detail.socketWrapper.reconnect(), htmx.config.wsReconnectDelay(1));
    }
    tick();
  });

  body.addEventListener("htmx:wsBeforeMessage", (event) => {
    lastFrameAt = Date.now();
    if (paused) {
      event.preventDefault();
    }
  });

  body.addEventListener("htmx:wsAfterMessage", () => {
    readBeat();
    tick();
  });

  byId("pulse").addEventListener("click", () => {
    paused = !paused;
    if (!paused) {
      resync();
    }
    tick();
  });

  readBeat();
  setInterval(tick, 250);
})();
