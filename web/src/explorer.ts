/** One module, three hosts: a file, a server, a notebook. */

import { mount, unmount } from "svelte";
import App from "./App.svelte";
import { fileHost } from "./hosts/file";
import type { Host } from "./hosts/host";
import { notebookHost, type WidgetModel } from "./hosts/notebook";
import { servedHost } from "./hosts/served";
import theme from "./theme.css?inline";

/** Shows the explorer in an element; gives what takes it away. */
export function show(element: HTMLElement, host: Host): () => void {
  // In a tree of its own: a notebook's styles stay out, ours stay in.
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = theme;
  root.append(style);
  const app = mount(App, { target: root, props: { host } });
  return () => {
    void unmount(app);
    style.remove();
  };
}

/** The contract of anywidget (AFM). */
export default {
  render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
    const place = document.createElement("div");
    el.append(place);
    return show(place, notebookHost(model));
  },
};

const place = document.getElementById("unrolled-explorer");
if (place) show(place, fileHost() ?? servedHost());
