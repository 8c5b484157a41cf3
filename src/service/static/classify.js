// The page at `/`: classify a message, or a file of them.

import { find, ignoreHeldEnter } from "./elements.js";
import { startFile } from "./file.js";
import { startMessage } from "./message.js";
import { formatThreshold } from "./numbers.js";
import { readModel } from "./service.js";

ignoreHeldEnter();
startMessage();
startFile();
try {
  const { labels, version, threshold } = await readModel();
  find("labels").textContent = `${labels.positive} or ${labels.negative}`;
  find("about-model").textContent =
    `Model ${version} marks a message as ${labels.positive} from a probability of ${formatThreshold(threshold)}.`;
} catch {
  // Classifying something shows the error.
}
