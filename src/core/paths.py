"""The outputs of the pipeline that commands and the service read unless told otherwise.

Stages get their paths as arguments from dvc.yaml. A test checks that these are outputs there.
"""

RAW = "data/raw/source"
TRAINING_SET = "data/interim/train.parquet"
TEST_SET = "data/interim/test.parquet"
MODEL = "models/model.skops"
REFERENCE = "models/reference.parquet"
METRICS = "reports/metrics.json"
ROBUSTNESS = "reports/robustness.json"
