# ruff: noqa: TID253 - these tests are of what needs torch
"""`archcalc training dataset`: what is said of a data set is what a count of its images says."""

import hashlib
import io
import json
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from archcalc.main import run
from training import cli
from training.engine import datasets
from training.engine.datasets import Normalization
from training.engine.record import FILE, Record, plain
from training.experiments import runner
from training.experiments.dataset import figure as drawing
from training.experiments.dataset.answer import blocks
from training.experiments.dataset.experiment import IMAGES, NAMES, PARTS, WORDS, Dataset, name_of
from training.experiments.minigooglenet.experiment import MiniGoogLeNet
from training.experiments.preset import prepared

laws = settings(max_examples=40, deadline=None, derandomize=True)
DIGITS = ("digits", "--validation", "300")


def drawn_up(channels=3, kind=np.uint8, seed=5):
    """Arrays of a set with 40 + 12 images of 5x4 pixels in 4 classes, as a file has them."""
    rng = np.random.default_rng(seed)
    found = {}
    for part, images in (("train", 40), ("test", 12)):
        # bytes are neither black nor white, floats reach beyond both
        x = rng.integers(20, 200, (images, 5, 4, channels), np.uint8)
        found[f"x_{part}"] = x if kind == np.uint8 else (x / 51 - 2).astype(kind)
        found[f"y_{part}"] = (
            np.arange(images) % 4
            if part == "test"
            else rng.permutation([0] * 13 + [1] * 9 + [2] * 11 + [3] * 7)
        )
    return found


@pytest.fixture
def made_up(tmp_path):
    """A file of such a set, its path and its arrays."""
    arrays = drawn_up()
    np.savez(tmp_path / "own.npz", **arrays)
    return str(tmp_path / "own.npz"), arrays


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A run on digits: its folder, and what it wrote to the two streams."""
    folder = tmp_path_factory.mktemp("digits")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert run(["training", "dataset", *DIGITS, "--output", str(folder)]) == 0
    return folder, out.getvalue(), err.getvalue()


def told(experiment):
    """The arrays of an experiment's record, and its results as results.json has them."""
    arrays = experiment.observed()
    return arrays, json.loads(json.dumps(plain(experiment.summarise(arrays))))


def asked(*args):
    """The experiment of a command line."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "run", lambda what, *_, **__: found.append(what))
        assert run(["training", "dataset", *args]) == 0
    return found[0]


# -------------------------------------------------------------------------------------- the counts


def test_the_counts_are_those_of_the_arrays(made_up):
    """Images a class are what a count of the file's own labels gives, and parts make the whole."""
    path, arrays = made_up
    _, results = told(Dataset(dataset=path, validation=9))
    rows = results["classes"]
    assert [row["class"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        number = row["class"]
        assert row["train"] + row["validation"] == list(arrays["y_train"]).count(number)
        assert row["test"] == list(arrays["y_test"]).count(number)
        assert row["total"] == sum(row[part] for part in PARTS)
        assert row["name"] == ""
    assert results["sizes"] == {"train": 31, "validation": 9, "test": 12, "total": 52}
    for part, size in results["sizes"].items():
        assert sum(row[part] for row in rows) == size


@laws
@given(held=st.integers(0, 1436), seed=st.integers(0, 2**63 - 1))
def test_parts_add_up_whatever_is_held_out(held, seed):
    """Of digits, so many images are held out as are asked for, and no class loses any."""
    arrays = Dataset(dataset="digits", validation=held, seed=seed).observed()
    assert arrays["counts"].sum(1).tolist() == [1437 - held, held, 360]
    both = [datasets.load("digits", train=train).y.numpy() for train in (True, False)]
    counted = [np.unique(y, return_counts=True)[1] for y in both]
    assert arrays["counts"][:2].sum(0).tolist() == counted[0].tolist()
    assert arrays["counts"][2].tolist() == counted[1].tolist()


def test_the_split_is_that_of_the_experiments():
    """What the experiments with MiniGoogLeNet learn from and hold out is what is counted."""
    own = Dataset(dataset="digits", validation=300, seed=7)
    train, validation, test, _ = prepared("digits", None, 0, 300, 0, 8, 7, "cpu")
    counts = own.observed()["counts"]
    for row, part in zip(counts, (train, validation, test), strict=True):
        assert row.tolist() == torch.bincount(part.y, minlength=10).tolist()
    by = Normalization.of(own.parts().train)
    assert torch.equal(by(own.parts().validation).x, validation.x)
    assert torch.equal(by(own.parts().train).x, train.x)
    other = Dataset(dataset="digits", validation=300, seed=8)
    assert not torch.equal(other.parts().validation.x, own.parts().validation.x)


def test_as_many_are_held_out_as_the_assignment_has():
    """Without options the split is the one that `--preset full` makes, of the same set."""
    full = MiniGoogLeNet(preset="full")
    assert (Dataset().dataset, Dataset().validation) == (full.dataset, full.validation)
    assert Dataset().seed == full.seed


def test_pixels_are_those_to_learn_from(made_up):
    """Size and range are the file's; mean and deviation are of what is not held out, by channel."""
    path, arrays = made_up
    own = Dataset(dataset=path, validation=9)
    _, results = told(own)
    assert results["image"] == {"height": 5, "width": 4, "channels": 3}
    x = arrays["x_train"] / 255
    assert results["pixels"]["range"] == pytest.approx([x.min(), x.max()])
    places = [
        next(place for place, one in enumerate(x) if np.allclose(one, image, atol=1e-6))
        for image in own.parts().train.x.permute(0, 2, 3, 1).numpy()
    ]
    assert len(set(places)) == 31
    assert results["pixels"]["mean"] == pytest.approx(x[places].mean((0, 1, 2)), abs=1e-6)
    assert results["pixels"]["std"] == pytest.approx(x[places].std((0, 1, 2)), abs=1e-6)


# -------------------------------------------------------------------------------------- the images


def nearest(x, y, number):
    """Mean of a class, places and distances of its nearest images, and the middle distance."""
    mean = np.mean([image for image, own in zip(x, y, strict=True) if own == number], 0)
    far = {place: np.sqrt(((x[place] - mean) ** 2).sum()) for place in np.flatnonzero(y == number)}
    places = sorted(far, key=far.get)[:IMAGES]
    middle = sorted(far.values())[(len(far) - 1) // 2]
    return mean, places, [far[place] for place in places], middle


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_the_images_are_the_nearest_to_the_mean(tmp_path, monkeypatch, channels, kind):
    """A search through all images of a class finds the same, at the same distances."""
    monkeypatch.setattr("training.experiments.dataset.experiment.AT_ONCE", 4)
    arrays = drawn_up(channels, kind)
    np.savez(tmp_path / "own.npz", **arrays)
    own = Dataset(dataset=str(tmp_path / "own.npz"), validation=9, classes=(3, 0))
    seen, results = told(own)
    x = arrays["x_train"] / (255 if kind == np.uint8 else 1)
    assert seen["pictures"].shape == (2, 1 + IMAGES, 5, 4, channels)
    assert seen["pictures"].dtype == np.uint8
    for row, number in enumerate((3, 0)):
        mean, places, distances, middle = nearest(x, arrays["y_train"], number)
        shown = results["shown"][row]
        assert shown["class"] == number
        assert shown["places"] == places
        assert shown["distances"] == pytest.approx(distances, rel=1e-6)
        assert shown["median"] == pytest.approx(middle, rel=1e-6)
        low, high = (0, 1) if kind == np.uint8 else (x.min(), x.max())
        wanted = np.stack([mean, *x[places]])
        scaled = (wanted - low) / (high - low) * 255
        assert np.abs(seen["pictures"][row] - scaled).max() <= 0.5 + 1e-4
        if kind == np.uint8:
            assert (seen["pictures"][row, 1:] == arrays["x_train"][places]).all()


def test_of_equal_distances_the_first_comes_first(tmp_path):
    """Images that are the same stand in the order of their places."""
    arrays = drawn_up()
    arrays["x_train"][:] = arrays["x_train"][0]
    np.savez(tmp_path / "own.npz", **arrays)
    _, results = told(Dataset(dataset=str(tmp_path / "own.npz"), validation=9))
    for shown in results["shown"]:
        own = np.flatnonzero(arrays["y_train"] == shown["class"])
        assert shown["places"] == own[:IMAGES].tolist()
        assert shown["distances"] == pytest.approx([0, 0, 0], abs=1e-6)


def test_what_is_held_out_changes_no_picture():
    """The images shown are of the whole training set, whatever the seed."""
    one = Dataset(dataset="digits", validation=300).observed()
    other = Dataset(dataset="digits", validation=900, seed=4).observed()
    for name in ("pictures", "places", "distances", "median"):
        assert one[name].tobytes() == other[name].tobytes()
    assert one["counts"].tobytes() != other["counts"].tobytes()


# --------------------------------------------------------------------------------------- the names


def batches_meta(names):
    """The file in which CIFAR-10 has its classes' names, as Python 2 pickled it."""
    memo = count(1)

    def mark():
        return b"q" + bytes([next(memo)])

    def word(text):
        return b"U" + bytes([len(text)]) + text.encode() + mark()

    parts = [b"\x80\x02}", mark(), b"(", word("num_cases_per_batch"), b"M\x10'"]
    parts += [word("label_names"), b"]", mark(), b"(", *map(word, names), b"e"]
    return b"".join([*parts, word("num_vis"), b"M\x00\x0cu."])


def test_the_names_are_torchvisions():
    """What classes are called is what torchvision says, of CIFAR-10 what its checksum promises."""
    from torchvision.datasets import CIFAR10, MNIST, FashionMNIST

    assert set(NAMES) == set(datasets.NAMES)
    assert list(NAMES["fashion-mnist"]) == FashionMNIST.classes
    assert [f"{number} - {word}" for number, word in enumerate(NAMES["mnist"])] == MNIST.classes
    found = hashlib.md5(batches_meta(NAMES["cifar10"]), usedforsecurity=False)
    assert found.hexdigest() == CIFAR10.meta["md5"]
    assert NAMES["digits"] == WORDS


@pytest.mark.parametrize(
    ("dataset", "number", "name"),
    [("cifar10", 9, "truck"), ("mnist", 10, ""), ("cifar10.npz", 0, ""), ("digits", 0, "zero")],
)
def test_a_class_without_a_name_has_none(dataset, number, name):
    """A file's classes are not guessed from its name, nor is there an eleventh digit."""
    assert name_of(dataset, number) == name


# ------------------------------------------------------------------------ what is typed and refused


def test_the_data_set_is_an_argument():
    """The name stands behind the command, without an option's word, in any place."""
    assert asked() == Dataset()
    assert asked("cifar10") == Dataset(dataset="cifar10")
    assert asked("--classes", "4, 2", "mnist", "--validation", "7") == Dataset(
        dataset="mnist", classes=(4, 2), validation=7
    )
    assert asked(" mnist ", "--data-dir", "there").data_dir == "there"


def test_one_field_of_one_command_is_an_argument():
    """Every other command keeps `--dataset`."""
    found = {
        (name, parameter.name)
        for name, command in typer.main.get_command(cli.app).commands.items()
        if name in cli.COMMANDS
        for parameter in command.params
        if parameter.param_type_name == "argument"
    }
    assert found == {("dataset", "dataset")}


def test_the_help_has_the_argument(capsys, monkeypatch):
    """The help has the name in its usage, among the arguments, with its default."""
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 160)
    assert run(["training", "dataset", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "training dataset [OPTIONS] [NAME]" in shown
    assert re.search(r"Arguments.*NAME.*default: fashion-mnist.*Options", shown, re.DOTALL)
    assert "--dataset" not in shown


names = st.sampled_from(datasets.NAMES) | st.text("abc é'\"$;", min_size=1).map(
    lambda stem: f"x{stem}.npz"
)


@laws
@given(
    dataset=names,
    validation=st.integers(0, 10**7),
    classes=st.lists(st.integers(0, 99), min_size=1, unique=True).map(tuple),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_command_reads_as_the_same_again(dataset, validation, classes, seed):
    """The command line of an experiment makes that experiment; its configuration too."""
    one = Dataset(dataset=dataset, validation=validation, classes=classes, seed=seed)
    program, group, name, *args = shlex.split(one.command())
    assert (program, group, name) == ("archcalc", "training", "dataset")
    assert args[0] == dataset
    assert asked(*args) == one
    assert Dataset.of(json.loads(json.dumps(one.configuration()))) == one


def test_a_command_always_says_the_data_set():
    """The name is said though it is the default, and no option that is."""
    assert Dataset().command() == "archcalc training dataset fashion-mnist"
    said = Dataset(dataset="digits", classes=(3,)).command()
    assert said == "archcalc training dataset digits --classes 3"


WRONG = [
    (["fashon-mnist"], ["NAME", "'fashon-mnist'", "fashion-mnist"]),
    ([""], ["NAME", "''", "cifar10"]),
    (["nowhere.npz"], ["nowhere.npz", "No such file"]),
    (["digits", "mnist"], ["(mnist)"]),
    (["--dataset", "digits"], ["--dataset"]),
    (["digits"], ["--validation", "5,000", "1,437"]),
    (["digits", "--validation", "1437"], ["--validation", "1,437"]),
    (["digits", "--validation", "10000001"], ["--validation", "10,000,000"]),
    (["digits", "--validation", "-1"], ["--validation", "-1"]),
    ([*DIGITS, "--classes", "3,10"], ["--classes", "no class 10", "0 to 9"]),
    ([*DIGITS, "--classes", "4,3,4"], ["--classes", "4 is named twice"]),
    ([*DIGITS, "--classes", ""], ["--classes", "nothing"]),
    ([*DIGITS, "--classes", "1,,2"], ["--classes", "''"]),
    ([*DIGITS, "--classes", "zero"], ["--classes", "'zero'"]),
    (["few.npz", "--validation", "3"], ["--classes", "class 2", "2 training images"]),
    (["huge.npz", "--validation", "3"], ["huge.npz", "1,099,511,627,777 classes", "1,000"]),
    (["gap.npz", "--validation", "3"], ["--classes", "class 1", "0 training images"]),
]


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize(("args", "says"), WRONG, ids=[" ".join(args) for args, _ in WRONG])
def test_what_is_wrong_is_one_line(tmp_path, monkeypatch, capsys, args, says):
    """It says what is wrong, with status 2, and leaves no folder."""
    monkeypatch.chdir(tmp_path)
    arrays = drawn_up()
    for name, change in (("few", (2, 3)), ("gap", (1, 3))):
        y = arrays["y_train"].copy()
        own = np.flatnonzero(y == change[0])
        y[own[2:] if name == "few" else own] = change[1]
        np.savez(tmp_path / f"{name}.npz", **{**arrays, "y_train": y})
    np.savez(tmp_path / "huge.npz", **{**arrays, "y_train": y + 2**40 - 3})
    before = {*tmp_path.iterdir()}
    assert run(["training", "dataset", *args]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("archcalc: ")
    assert err.count("\n") == 1
    assert [word for word in says if word not in err] == [], err
    assert {*tmp_path.iterdir()} == before


# ---------------------------------------------------------------------------------- what is written


def test_a_run_shows_and_writes(output):
    """The tables are on the terminal and on the page, beside record, numbers and one figure."""
    folder, out, err = output
    assert {path.name for path in folder.iterdir()} == {
        *(FILE, "results.json", "README.md", "images.png")
    }
    assert err == f"The data set: the record is kept in {folder}\n"
    page = (folder / "README.md").read_text()
    assert page.startswith("# The data set\n")
    assert "![images](images.png)" in page
    shown, written = (" ".join(text.replace("|", " ").split()) for text in (out, page))
    for said in (
        "scikit-learn's digits: 10 classes",
        "1,437 training images are held out",
        "to learn from for validation test set total",
        "Made by archcalc training dataset digits --validation 300",
        "8x8 pixels",
    ):
        assert said in shown
        assert said in written
    assert "**all** **1,137** **300** **360** **1,797**" in written
    results = json.loads((folder / "results.json").read_text())
    assert results["schema"] == "archcalc.training.dataset/1"
    assert results["configuration"]["dataset"] == "digits"


def test_the_tables_are_the_numbers(output):
    """Every row of the table of classes has the numbers of results.json, and sums below them."""
    folder, _, _ = output
    results = runner.results(Record.read(folder))["results"]
    (table,) = (
        block
        for block in runner.blocks(Record.read(folder))
        if not isinstance(block, str) and block.title.endswith("and images of each")
    )
    cells = [[cell.text for cell in row] for row in table.rows]
    assert cells == [
        [f"{one['class']} {one['name']}", *(str(one[part]) for part in (*PARTS, "total"))]
        for one in results["classes"]
    ]
    sums = [cell.text for cell in table.footer[0]]
    assert sums == ["all", "1,137", "300", "360", "1,797"]
    for place, said in enumerate(sums[1:], 1):
        assert sum(int(row[place]) for row in cells) == int(said.replace(",", ""))


def paragraphs(experiment):
    """Its sentences, in one line."""
    found = blocks(experiment, told(experiment)[1])
    return " ".join(block for _, block in found if isinstance(block, str))


def test_sentences_follow_the_numbers(made_up, tmp_path):
    """What is even is called so, and what is held out is described as it is."""
    path, arrays = made_up
    said = paragraphs(Dataset(dataset=path, validation=9, seed=3))
    assert "A class has 10 to 16 images: 7 to 13 in the training set, 3 in the test set." in said
    assert "9 of its 40 training images are held out" in said
    assert "seed 3" in said
    assert "which with --preset full hold out 5,000" in said
    assert "3 channels, red, green and blue" in said
    even = {**arrays, "y_train": np.arange(40) % 4}
    np.savez(tmp_path / "even.npz", **even)
    said = paragraphs(Dataset(dataset=str(tmp_path / "even.npz"), validation=0))
    assert "Every class has 13 images: 10 in the training set, 3 in the test set." in said
    assert "Nothing is held out" in said
    assert "seed" not in said


def test_the_same_split_is_said_where_it_is_the_same(tmp_path):
    """Only who holds out as many as `--preset full` is told that the images are the same."""
    x, y = np.zeros((6000, 2, 2), np.uint8), np.arange(6000) % 3
    np.savez(tmp_path / "big.npz", x_train=x, y_train=y, x_test=x[:3], y_test=y[:3])
    path = str(tmp_path / "big.npz")
    assert "the same images" in paragraphs(Dataset(dataset=path))
    assert "the same images" not in paragraphs(Dataset(dataset=path, validation=4999))


@pytest.mark.parametrize("classes", [(0, 1, 2), (3,)])
def test_the_figure_has_what_it_names(made_up, sketched, classes):
    """A row a class: its name, its mean, its images as they are; places and distances below."""
    path, _ = made_up
    own = Dataset(dataset=path, validation=9, classes=classes)
    arrays, results = told(own)
    assert [name for name, _ in drawing.figures(own, arrays, results)] == ["images"]
    panels = sketched[0].axes
    assert len(panels) == 4 * len(classes)
    for place, axes in enumerate(panels):
        row, column = divmod(place, 4)
        (image,) = axes.images
        assert (image.get_array() == arrays["pictures"][row, column]).all()
        shown = results["shown"][row]
        assert axes.get_ylabel() == ("" if column else f"class {classes[row]}")
        if column:
            assert axes.get_xlabel() == (
                f"no. {shown['places'][column - 1]:,}, {shown['distances'][column - 1]:.2f} away"
            )
        assert bool(axes.get_title()) == (row == 0)
    title = sketched[0].get_suptitle()
    assert title.endswith("3 classes" if len(classes) == 3 else "1 class")


def test_the_figure_is_a_picture(output):
    """The PNG of a set in grey has a size to look at, and is grey but for nothing."""
    picture = imread(output[0] / "images.png")[..., :3]
    height, width, _ = picture.shape
    assert 600 <= height <= 1200
    assert 800 <= width <= 1200
    assert (np.ptp(picture, axis=2) == 0).all()
    assert 0.2 < (picture[..., 0] < 0.99).mean() < 0.9
    assert len(np.unique(picture[..., 0])) > 15


@pytest.mark.usefixtures("sketched")
def test_a_finished_record_is_read(output, capsys):
    """The second run reads the record: JSON says the same, from the same time."""
    folder, _, _ = output
    command = ["training", "dataset", *DIGITS, "--output", str(folder)]
    finished = Record.read(folder).about["finished"]
    before = (folder / FILE).read_bytes()
    picture = (folder / "images.png").read_bytes()
    assert run([*command, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads((folder / "results.json").read_text())
    assert json.loads(out)["finished"] == finished
    assert "is finished" in err
    assert (folder / FILE).read_bytes() == before
    (folder / "images.png").write_bytes(picture)


@pytest.mark.usefixtures("sketched")
def test_an_unfinished_record_is_gone_on_with(tmp_path, capsys):
    """A run that was killed before it ended is finished by --resume, from what it had observed."""
    command = ["training", "dataset", *DIGITS, "--output", str(tmp_path)]
    assert run(command) == 0
    record = Record.read(tmp_path)
    arrays = dict(record.arrays)
    del record.about["finished"]
    record.save(tmp_path)
    capsys.readouterr()
    assert run(command) == 2
    assert "--resume" in capsys.readouterr().err
    assert run([*command, "--resume"]) == 0
    again = Record.read(tmp_path)
    assert again.finished
    assert again.arrays.keys() == arrays.keys()
    assert all(again.arrays[name].tobytes() == arrays[name].tobytes() for name in arrays)


@pytest.mark.usefixtures("sketched")
def test_another_data_set_needs_another_folder(tmp_path, made_up, capsys):
    """A folder's record of another set is not taken for this one's."""
    path, _ = made_up
    folder = tmp_path / "run"
    assert run(["training", "dataset", path, "--validation", "9", "--output", str(folder)]) == 0
    assert run(["training", "dataset", *DIGITS, "--output", str(folder)]) == 2
    assert "own.npz, not digits" in capsys.readouterr().err


@pytest.mark.usefixtures("sketched")
def test_pages_are_drawn_without_the_data(tmp_path, made_up, capsys):
    """`tables` draws the page of a record whose data are gone."""
    path, _ = made_up
    folder = tmp_path / "all" / "run"
    assert run(["training", "dataset", path, "--validation", "9", "--output", str(folder)]) == 0
    page = (folder / "README.md").read_text()
    (folder / "README.md").unlink()
    Path(path).unlink()
    datasets._npz.cache_clear()
    assert run(["training", "tables", str(tmp_path / "all")]) == 0
    assert (folder / "README.md").read_text() == page
    assert not capsys.readouterr().err.startswith("archcalc: ")
