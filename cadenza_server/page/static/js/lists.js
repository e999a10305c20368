// Lists that keep themselves true: own takes, the roster, one student's takes.

import { onEvent } from "./live.js";
import { refreshSoon } from "./refresh.js";
import { scrubThumbnails } from "./scrub.js";

onEvent("*", refreshSoon);
scrubThumbnails();
