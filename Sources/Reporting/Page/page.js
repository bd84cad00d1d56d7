"use strict";

// Shows a plan of the frontier: all numbers are texts that bitplan wrote into #data; this puts them in place.
(() => {
  const data = document.getElementById("data");
  if (!data) return;
  const plans = JSON.parse(data.textContent);
  const count = plans.bytes.length;
  const byId = (id) => document.getElementById(id);
  const slider = byId("point");
  const rows = [...document.querySelectorAll("#sublayers tbody tr")];

  // Which sublayers differ between a plan and the next smaller one.
  const changes = (index) => {
    if (index === 0) return "The smallest plan.";
    const [before, after] = [plans.choices[index - 1], plans.choices[index]];
    const moved = plans.sublayers.flatMap((name, place) =>
      before[place] === after[place]
        ? []
        : [`${name} ${plans.schemes[before[place]]} → ${plans.schemes[after[place]]}`]);
    return `From the next smaller plan: ${moved.join(", ")}.`;
  };

  const show = (index) => {
    slider.value = index + 1;
    slider.setAttribute(
      "aria-valuetext",
      `${plans.bytes[index]} bytes, ${plans.compression[index]}, ${byId("loss-head").textContent} ${plans.loss[index]}`);
    byId("bytes").textContent = plans.bytes[index];
    byId("compression").textContent = plans.compression[index];
    byId("loss").textContent = plans.loss[index];
    byId("number").textContent = (index + 1).toLocaleString("en-US");
    byId("here").setAttribute("transform", `translate(${plans.x[index]} ${plans.y[index]})`);
    byId("change").textContent = changes(index);
    rows.forEach((row, place) => {
      const choice = plans.choices[index][place];
      const cell = plans.cells[place][choice];
      const field = (name) => row.querySelector(`.${name}`);
      row.classList.toggle("moved", index > 0 && plans.choices[index - 1][place] !== choice);
      // What the written plan has otherwise.
      const written = field("written");
      row.classList.toggle("apart", written !== null && written.textContent !== plans.schemes[choice]);
      const bar = field("bits").querySelector("i");
      bar.style.width = `${cell ? cell.length / 10 : 0}%`;
      bar.style.background = cell ? cell.colour : "transparent";
      field("bits").lastElementChild.textContent = cell ? cell.bits : "";
      field("scheme").textContent = plans.schemes[choice];
      field("bytes").textContent = cell ? cell.bytes : "";
      field("loss").textContent = cell ? cell.loss : "";
    });
  };

  // `#point=12` in the address is the twelfth plan; anything else changes nothing.
  const showAddress = () => {
    const match = /^#point=(\d+)$/.exec(location.hash);
    if (match && match[1] >= 1 && match[1] <= count) show(match[1] - 1);
  };

  slider.addEventListener("input", () => show(slider.value - 1));
  slider.addEventListener("change", () => history.replaceState(null, "", `#point=${slider.value}`));
  addEventListener("hashchange", showAddress);

  // A press or a drag in the plot picks the nearest plan by its bytes.
  const plot = document.querySelector(".plot");
  const pick = (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * plot.querySelector(".here").viewBox.baseVal.width;
    const distance = (index) => Math.abs(plans.x[index] - x);
    let nearest = 0;
    for (let index = 1; index < count; index++) if (distance(index) < distance(nearest)) nearest = index;
    slider.value = nearest + 1;
    slider.dispatchEvent(new Event("input"));
  };
  plot.addEventListener("pointerdown", pick);
  plot.addEventListener("pointermove", (event) => event.buttons === 1 && pick(event));
  plot.addEventListener("pointerup", () => slider.dispatchEvent(new Event("change")));

  show(slider.value - 1);
  showAddress();
})();
