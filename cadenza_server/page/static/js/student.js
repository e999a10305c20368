// Giving the student a routine.

import { api } from "./api.js";
import { refresh } from "./refresh.js";
import { toast } from "./toast.js";

const form = document.querySelector("[data-assign]");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const routine = await api("POST", `/students/${form.dataset.assign}/assign-routine`, {
      routine_id: form.elements.routine.value,
    });
    toast(`“${routine.title}” is assigned.`);
    await refresh();
  } catch (problem) {
    toast(problem.detail);
  } finally {
    button.disabled = false;
  }
});
