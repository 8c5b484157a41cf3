// The page at `/`: classify a message, or a file of them.

import { find } from "./elements.js";
import { startFile } from "./file.js";
import { startMessage } from "./message.js";
import { formatThreshold } from "./numbers.js";
import { readModel } from "./service.js";

startMessage();
startFile();
try {
  const { labels, version, threshold } = await readModel();
  find("labels").textContent = `${labels.positive} from ${labels.negative}`;
  find("about-model").textContent =
    `Model ${version}, ${labels.positive} from ${formatThreshold(threshold)}.`;
} catch {
  // Whoever classifies something is told then.
}
