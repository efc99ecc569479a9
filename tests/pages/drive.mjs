// Drives a page in a real browser as a person does. Told by its first argument, one JSON object:
// {"story": …, "tools": where the packages are, "browser": the program, "shots": where screenshots go, …}.
// Ends with 0 when everything was as it should be, and otherwise says what was not.

import { browser, told } from "./browser.mjs";
import * as buying from "./stories/buying.mjs";
import * as ways from "./stories/ways.mjs";
import * as till from "./stories/till.mjs";
import * as console_ from "./stories/console.mjs";
import * as deciding from "./stories/deciding.mjs";
import * as looking from "./stories/looking.mjs";
import * as reading from "./stories/reading.mjs";

const stories = { ...buying, ...ways, ...till, ...console_, ...deciding, ...looking, ...reading };

try {
  await stories[told.story]();
} finally {
  await browser.close();
}
