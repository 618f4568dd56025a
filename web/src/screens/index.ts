/** The screens, in the order of their keys. A new one is a file and a line here. */

import type { Component } from "svelte";
import type { Page } from "../state/page.svelte";
import Gradient from "./Gradient.svelte";
import Live from "./Live.svelte";
import Units from "./Units.svelte";
import Unrolled from "./Unrolled.svelte";

export interface Screen {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly component: Component<{ page: Page }>;
}

export const SCREENS: readonly Screen[] = [
  { name: "unrolled", title: "Unrolled", about: "the network over time, forward and back", component: Unrolled },
  { name: "gradient", title: "Gradient", about: "how far a loss is heard", component: Gradient },
  { name: "units", title: "Units", about: "one unit over the input, and which unit does what", component: Units },
  { name: "live", title: "Live", about: "type into the model inside the page", component: Live },
];
