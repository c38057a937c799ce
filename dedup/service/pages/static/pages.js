// What a page does beyond its forms, which work without this: answers while one types, and keys.
"use strict";

const WAIT = 180; // milliseconds without a keystroke, after which is asked

function searchAsYouType(form) {
  const text = form.elements.namedItem("text");
  let waiting = 0;
  let asking = new AbortController();

  async function ask() {
    asking.abort(); // an answer to what stood there before must not come later
    asking = new AbortController();
    const { signal } = asking;
    const answers = document.getElementById("answers");
    answers.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), signal });
      if (response.redirected) {
        location.assign(response.url);
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const found = page.getElementById("answers");
      if (found) {
        answers.replaceChildren(...found.childNodes);
      } else {
        document.getElementById("verdict").textContent = "The service is busy; it is asked again in a moment.";
        const seconds = Number(response.headers.get("Retry-After")) || 2;
        waiting = setTimeout(ask, 1000 * seconds);
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        document.getElementById("verdict").textContent = "The service does not answer.";
      }
      return;
    }
    answers.removeAttribute("aria-busy");
  }

  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, WAIT);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      clearTimeout(waiting);
      ask();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    ask();
  });
}

function keys() {
  const buttons = new Map();
  for (const button of document.querySelectorAll("[data-keys] [data-key]")) {
    for (const key of button.dataset.key.split(" ")) {
      buttons.set(key, button);
    }
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) {
      return;
    }
    const button = buttons.get(event.key);
    if (button) {
      event.preventDefault();
      button.click();
    }
  });
}

function once(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault(); // a second verdict would be on the next pair
    }
    form.dataset.sent = "yes";
  });
}

const search = document.getElementById("search");
if (search) {
  searchAsYouType(search);
}
document.querySelectorAll("[data-keys]").forEach(once);
keys();
