"""The Spark and Ray jobs of docs/bulk.md, with the packages of tests/bulk/requirements.txt."""
import json
import os
import pathlib
import subprocess

from jobs import block, check, make_photos, run_job
from server import MODEL, ROOT

PYTHON = ROOT / "downloads/bulk/venv/bin/python"
COUNT = "import json, sys, pyarrow.parquet as p; print(json.dumps(p.read_table(sys.argv[1]).to_pylist()))"


def rows(folder):
    """Those of a folder of Parquet files."""
    return json.loads(subprocess.run([PYTHON, "-c", COUNT, folder], stdout=subprocess.PIPE, check=True).stdout)


def run_python(folder, name, **more):
    (folder / name).write_text(block(name))
    return run_job(folder, [PYTHON, name, "photos", "out"], settings={"model": MODEL}, **more)


def test_spark(tmp_path):
    paths = make_photos(tmp_path)
    assert run_python(tmp_path, "spark_job.py", PYSPARK_PYTHON=str(PYTHON), PYSPARK_SUBMIT_ARGS="--master local[2,4] --driver-memory 1g "
                      "--conf spark.ui.enabled=false pyspark-shell", SPARK_LOCAL_IP="127.0.0.1") == 0
    assert (tmp_path / "killed").exists()
    check([json.loads(line) for part in pathlib.Path(tmp_path / "out").glob("part-*") for line in part.read_text().splitlines()], paths)
    check(rows(tmp_path / "out.parquet"), paths)


def test_ray(tmp_path):
    paths = make_photos(tmp_path)
    assert run_python(tmp_path, "ray_job.py", RAY_DISABLE_IMPORT_WARNING="1", RAY_USAGE_STATS_ENABLED="0", RAY_ADDRESS="local") == 0
    assert (tmp_path / "killed").exists()
    check(rows(tmp_path / "out"), paths)
    assert os.listdir(tmp_path / "out")
