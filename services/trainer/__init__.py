"""The trainer: a process of its own that claims runs over HTTP and trains on what people prefer."""

import os

# Read by huggingface_hub and TRL when they are imported: nobody's training is reported to anybody.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The libraries' bars would garble logs and the terminal; the trainer reports its progress itself.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
