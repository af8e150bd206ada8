"""Images and classes: what is whole is read as it is, and nothing else looks like it."""

# ruff: noqa: TID253 - these tests are of what needs torch
import gc
import gzip
import hashlib
import importlib.util
import io
import pickle
import shutil
import socket
import sys
import tarfile
import threading
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archcalc.errors import StatedError
from training.engine import datasets
from training.engine.datasets import ARRAYS, FILES, NAMES, SOURCES, Images, Normalization
from training.errors import TrainingError

# torchvision keeps an HTTP error's connection until the error itself is gone
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
laws = settings(max_examples=40, deadline=None, derandomize=True)
SHARED = Path(__file__).parents[2] / "shared" / "data"
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
TRAIN, TEST = 10, 4
INSTEAD = ("--data-dir", "ARCHCALC_DATA", "--dataset digits")


def forget():
    """Nothing that was loaded is kept."""
    for kept in (datasets._of_torchvision, datasets._npz, datasets._digits_all):
        kept.cache_clear()


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Each test has loaded nothing, has no proxy, and no folder of its own."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("ARCHCALC_DATA", raising=False)
    forget()
    yield
    forget()


def refusal(function, *args, status=2, **options):
    """The one line with which something is refused."""
    with pytest.raises(TrainingError) as caught:
        function(*args, **options)
    line = str(caught.value)
    assert caught.value.status == status
    assert line
    assert "\n" not in line
    return line


def contents(folder):
    """All files below a folder and what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def same(one, other):
    """Whether two sets have the same images and classes, bit for bit."""
    return torch.equal(one.x, other.x) and torch.equal(one.y, other.y)


# ---------------------------------------------------------------------------- a server, small sets


class Answer(BaseHTTPRequestHandler):
    """What the server says, which is as its attribute ``how`` wants it."""

    def do_GET(self):
        """Send a file, or what goes wrong with it."""
        self.server.asked.append(self.path)
        self.server.meanwhile()
        how, body = self.server.how, self.server.files[self.path.rpartition("/")[2]]
        with suppress(ConnectionError):
            if how == "silent":
                self.server.over.wait(20)
            elif how == "no http":
                self.wfile.write(b"220 mail.example.org ESMTP\r\n")
            elif how == "missing":
                self.server.leaks = True
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                flipped = bytes([body[-1] ^ 1])
                sent = {"cut": body[: len(body) // 2], "damaged": body[:-1] + flipped}
                self.wfile.write(sent.get(how, body))

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def server():
    """A server on this machine that says who asked for what."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as found:
        found.daemon_threads = True
        found.how, found.asked, found.files, found.leaks = "whole", [], {}, False
        found.meanwhile, found.over = (lambda: None), threading.Event()
        found.at = f"http://127.0.0.1:{found.server_port}/"
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.over.set()
        found.shutdown()
        thread.join()
    if found.leaks:
        gc.collect()  # connections that are still open are no other test's


def idx(array):
    """Bytes as LeCun's format has them."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def md5(data):
    """What torchvision compares."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Small:
    """A set like a real one, of a few images, on the server in the real one's place."""

    def __init__(self, name, server, monkeypatch):
        import torchvision

        self.name, self.server, self.patch = name, server, monkeypatch
        self.source, self.title = SOURCES[name], SOURCES[name].title
        self.known = getattr(torchvision.datasets, self.source.module)
        height, width, channels = self.source.size
        rng = np.random.default_rng(len(name))
        # the lowest and the highest byte occur
        self.x = rng.integers(0, 256, (TRAIN + TEST, height, width, channels), dtype=np.uint8)
        self.x[:, 0, 0], self.x[:, 0, 1] = 0, 255
        self.y = rng.integers(0, 10, TRAIN + TEST, dtype=np.uint8)
        parts = (slice(TRAIN), slice(TRAIN, None))
        if channels == 1:
            raw = [idx(array) for part in parts for array in (self.x[part, ..., 0], self.y[part])]
            self.files = dict(zip(FILES, raw, strict=True))
        else:
            self.files = {name: self.batch(n) for n, name in enumerate(BATCHES)}
            self.files["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
        self.folder = f"{self.source.top}/{self.source.raw}".rstrip("/")
        self.publish()

    def batch(self, number):
        """Two images a training batch, and those of the test set."""
        part = slice(2 * number, 2 * number + 2) if number < 5 else slice(TRAIN, None)
        rows = self.x[part].transpose(0, 3, 1, 2).reshape(-1, 3072)
        return pickle.dumps({"data": rows, "labels": self.y[part].tolist()})

    def publish(self, **instead):
        """Put it on the server; files given ``instead`` are archived in place of those promised."""
        files = {**self.files, **instead}
        if self.source.raw:
            sent = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
            digests = {name: hashlib.sha256(self.files[name]).hexdigest() for name in FILES}
            self.patch.setitem(SOURCES, self.name, replace(self.source, digests=digests))
            self.patch.setattr(self.known, "mirrors", [self.server.at])
            resources = [(name, md5(data)) for name, data in sent.items()]
            self.patch.setattr(self.known, "resources", resources)
        else:
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as archive:
                for name, data in files.items():
                    member = tarfile.TarInfo(f"{self.source.top}/{name}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
            sent = {self.known.filename: packed.getvalue()}
            self.patch.setattr(self.known, "url", self.server.at + self.known.filename)
            self.patch.setattr(self.known, "tgz_md5", md5(packed.getvalue()))
            lists = [[name, md5(self.files[name])] for name in BATCHES]
            self.patch.setattr(self.known, "train_list", lists[:5])
            self.patch.setattr(self.known, "test_list", lists[5:])
            meta = {**self.known.meta, "md5": md5(self.files["batches.meta"])}
            self.patch.setattr(self.known, "meta", meta)
        self.server.files = sent

    def lay(self, folder):
        """Put it where a download would have put it."""
        (folder / self.folder).mkdir(parents=True)
        for name, data in self.files.items():
            (folder / self.folder / name).write_bytes(data)

    def load(self, folder, *, train=True):
        """As a command does."""
        return datasets.load(self.name, str(folder), train=train)

    def refused(self, folder, *, status=1, train=True):
        """The line in place of images."""
        return refusal(datasets.load, self.name, str(folder), status=status, train=train)

    def right(self, found, *, train=True):
        """Whether these are the images and classes that were made up."""
        part = slice(TRAIN) if train else slice(TRAIN, None)
        x = torch.from_numpy(self.x[part].transpose(0, 3, 1, 2).astype(np.float32)) / 255
        return same(found, Images(x, torch.from_numpy(self.y[part].astype(np.int64))))


@pytest.fixture
def small(request, server, monkeypatch):
    """A small set in a real one's place: MNIST if a test says nothing else."""
    return Small(getattr(request, "param", "mnist"), server, monkeypatch)


each = pytest.mark.parametrize("small", list(SOURCES), indirect=True)
# Fashion-MNIST is MNIST's class with other files
both = pytest.mark.parametrize("small", ["mnist", "cifar10"], indirect=True)


# --------------------------------------------------------------------------------------- downloads


@each
def test_a_download_is_the_set(small, tmp_path):
    """Bytes over 255 come channels first, classes as 64-bit integers, training and test apart."""
    train, test = small.load(tmp_path), small.load(tmp_path, train=False)
    height, width, channels = small.source.size
    assert train.x.shape == (TRAIN, channels, height, width)
    assert test.x.shape == (TEST, channels, height, width)
    assert (train.x.dtype, train.y.dtype) == (torch.float32, torch.int64)
    assert (train.x.min(), train.x.max()) == (0, 1)
    assert train.x.is_contiguous()
    assert small.right(train)
    assert small.right(test, train=False)


@each
def test_a_download_leaves_the_set_alone(small, tmp_path):
    """In the folder, made if need be, is the set with all its files, and no draft."""
    small.load(tmp_path / "new" / "er")
    assert [path.name for path in (tmp_path / "new" / "er").iterdir()] == [small.source.top]
    found = contents(tmp_path / "new" / "er" / small.folder)
    assert {name: found[name] for name in small.files} == small.files


@each
def test_what_is_there_is_not_downloaded(small, tmp_path):
    """The second load, of another process too, asks nobody."""
    small.load(tmp_path)
    asked = len(small.server.asked)
    assert asked
    small.load(tmp_path)
    forget()
    assert small.right(small.load(tmp_path))
    assert len(small.server.asked) == asked


def test_a_set_is_read_once(small, tmp_path):
    """In one process the same tensors are handed out again, whatever became of the files."""
    small.lay(tmp_path)
    found = small.load(tmp_path)
    shutil.rmtree(tmp_path / "MNIST")
    assert small.load(tmp_path) is found


@both
def test_progress_is_no_output(small, tmp_path, capsys, monkeypatch):
    """What is downloaded where and how far it is stands on standard error, whoever prints it."""
    before = small.known.download

    def download(self):
        sys.stdout.write("printed by torchvision\n")
        before(self)

    monkeypatch.setattr(small.known, "download", download)
    small.load(tmp_path)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"{small.title} is downloaded to {tmp_path}\n")
    assert "printed by torchvision" in shown.err
    assert "100%" in shown.err


PROMISED = "what came is not what its checksum promises"
BROKEN = {
    "missing": "HTTP Error 404: Not Found",
    "silent": "timed out",
    "no http": "220 mail.example.org",
    "cut": PROMISED,
    "damaged": PROMISED,
    "refused": "Connection refused",
    "other bytes": PROMISED,
    "nonsense": PROMISED,
    "nothing": PROMISED,
}


@both
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_download_leaves_nothing(small, how, tmp_path, monkeypatch):
    """One line says why and what to do; the folder is empty; and later the set can still come."""
    monkeypatch.setattr(datasets, "PATIENCE", 0.3)
    name = next(iter(small.files))
    data = small.files[name]
    wrong = {"other bytes": data[:-1] + bytes([data[-1] ^ 1]), "nonsense": b"\1" * 99}
    if how in {*wrong, "nothing"}:  # the archive is as promised, and what is in it is not
        small.publish(**{name: wrong.get(how, b"")})
    elif how == "refused":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with monkeypatch.context() as patch:
            patch.setattr(small.known, "mirrors", [nobody, nobody], raising=False)
            patch.setattr(small.known, "url", f"{nobody}a.tar.gz", raising=False)
            line = small.refused(tmp_path)
    else:
        small.server.how = how
    if how != "refused":
        line = small.refused(tmp_path)
        assert small.server.asked
    start = f"{small.title} could not be downloaded to {tmp_path}: "
    assert line.startswith(start)
    assert BROKEN[how] in line.removeprefix(start).partition("; ")[0]
    hint = line.partition("; ")[2]
    assert [word for word in (*INSTEAD, small.source.top) if word not in hint] == []
    assert contents(tmp_path) == {}
    assert socket.getdefaulttimeout() is None
    small.server.how = "whole"
    small.publish()
    assert small.right(small.load(tmp_path))
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    ("folder", "why"),
    [("file", "File exists"), ("file/below", "Not a directory"), ("x" * 300, "name too long")],
)
def test_a_folder_that_cannot_be_is_refused(small, folder, why, tmp_path):
    """Where no folder can be made, one line says so before anybody is asked."""
    (tmp_path / "file").write_bytes(b"mine")
    line = small.refused(tmp_path / folder)
    assert f"could not be downloaded to {tmp_path / folder}: " in line
    assert why in line
    assert [word for word in INSTEAD if word not in line] == []
    assert small.server.asked == []
    assert contents(tmp_path) == {"file": b"mine"}


def test_no_room_is_said(small, tmp_path, monkeypatch):
    """A disk that is full is called that, and what was written is gone."""

    def download(self):
        Path(self.root, "MNIST").mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(small.known, "download", download)
    assert f"{tmp_path}: No space left on device; " in small.refused(tmp_path)
    assert contents(tmp_path) == {}


def test_a_stopped_download_leaves_nothing(small, tmp_path, monkeypatch):
    """Ctrl-C in the middle of a download is Ctrl-C, and what was written is gone."""

    def download(self):
        Path(self.root, "MNIST").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(small.known, "download", download)
    with pytest.raises(KeyboardInterrupt):
        small.load(tmp_path)
    assert contents(tmp_path) == {}
    assert socket.getdefaulttimeout() is None


def test_the_draft_of_a_killed_process_is_no_set(small, tmp_path):
    """What a process left that was killed while it downloaded is never read."""
    draft = tmp_path / f"{datasets.DRAFT}killed"
    small.lay(draft)
    small.server.how = "missing"
    small.refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [draft.name]


@pytest.mark.parametrize("how", ["whole", "missing"])
def test_another_process_may_be_faster(small, how, tmp_path):
    """Where a set has come while this process was downloading it, that one is read."""
    small.server.how = how
    small.server.meanwhile = lambda: (tmp_path / "MNIST").exists() or small.lay(tmp_path)
    assert small.right(small.load(tmp_path))
    assert small.server.asked
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]
    assert set(contents(tmp_path / small.folder)) == set(FILES)


# ------------------------------------------------------------------------------- what is there


def damage(path, how):
    """Do something to a file that should not be."""
    data = path.read_bytes()
    path.unlink()
    changed = {
        "cut": data[:-1],
        "longer": data + b"\0",
        "garbage": b"\x8f" * len(data),
        "a byte": data[:-1] + bytes([data[-1] ^ 1]),
        "nothing": b"",
    }
    if how in changed:
        path.write_bytes(changed[how])
    elif how == "folder":
        path.mkdir()
    elif how == "empty":
        shutil.rmtree(path.parent)
        path.parent.mkdir()
    elif how == "file":
        shutil.rmtree(path.parent)
        path.parent.write_bytes(b"")


DAMAGE = ("cut", "longer", "garbage", "a byte", "nothing", "missing", "folder", "empty", "file")


@both
@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("number", range(4))
def test_what_is_damaged_is_refused(small, how, number, tmp_path):
    """One line says what to remove; nothing is downloaded over it, and nothing else is changed."""
    small.lay(tmp_path)
    name = (FILES if small.source.raw else (*BATCHES[:2], BATCHES[-1], "batches.meta"))[number]
    damage(tmp_path / small.folder / name, how)
    before = contents(tmp_path)
    line = small.refused(tmp_path, status=2, train=number < 2)
    fact, _, hint = line.partition("; ")
    gone = how in {"missing", "empty"} and small.source.raw
    assert fact.startswith(f"{small.title} in {tmp_path}: ")
    assert fact.endswith(": a file is damaged") != gone
    if how == "missing" and gone:
        assert fact.endswith(f": there is no {name}")
    assert hint.startswith(f"remove {tmp_path / small.source.top}, ")
    assert "--dataset digits" in hint
    assert contents(tmp_path) == before
    assert small.server.asked == []


def test_a_file_in_the_place_of_the_set_is_refused(small, tmp_path):
    """What has the set's name and is no folder is to be removed, and is not downloaded over."""
    (tmp_path / "MNIST").write_bytes(b"mine")
    line = small.refused(tmp_path, status=2)
    assert f"remove {tmp_path / 'MNIST'}, " in line
    assert contents(tmp_path) == {"MNIST": b"mine"}
    assert small.server.asked == []


@pytest.mark.parametrize("kind", ["other", "garbage"])
def test_only_what_is_checked_is_read(small, kind, tmp_path):
    """What old versions of torchvision left next to the files is not read in their place."""
    small.lay(tmp_path)
    (tmp_path / "MNIST" / "processed").mkdir()
    for name in ("training.pt", "test.pt"):
        path = tmp_path / "MNIST" / "processed" / name
        torch.save((torch.zeros(TRAIN, 28, 28, dtype=torch.uint8), torch.zeros(TRAIN)), path)
        if kind == "garbage":
            path.write_bytes(b"garbage")
    assert small.right(small.load(tmp_path))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The real files as a download leaves them."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} with the real images is not there")
    folder = tmp_path_factory.mktemp("real")
    for top in ("MNIST", "FashionMNIST"):
        (folder / top / "raw").mkdir(parents=True)
        for path in sorted((SHARED / top / "raw").glob("*.gz")):
            (folder / top / "raw" / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return str(folder)


@pytest.mark.parametrize(
    ("name", "first", "mean", "std"),
    [
        ("mnist", [5, 0, 4, 1, 9], "0.1307", "0.3081"),
        ("fashion-mnist", [9, 0, 0, 3, 0], "0.2860", "0.3530"),
    ],
)
def test_real_images(real, name, first, mean, std):
    """The real files have the digests; everybody's mean and deviation are those of training."""
    train, test = datasets.load(name, real), datasets.load(name, real, train=False)
    assert (train.x.shape, test.x.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert train.y[:5].tolist() == first
    assert train.classes == test.classes == 10
    found = Normalization.of(train)
    assert (f"{float(found.mean):.4f}", f"{float(found.std):.4f}") == (mean, std)


# ---------------------------------------------------------------------------------------- .npz


def arrays(**instead):
    """A good file's arrays: five and three images of 4x6, three classes."""
    rng = np.random.default_rng(1)
    good = {
        "x_train": rng.integers(0, 256, (5, 4, 6), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 1, 0]),
        "x_test": rng.integers(0, 256, (3, 4, 6), dtype=np.uint8),
        "y_test": np.array([2, 0, 1]),
    }
    return {name: value for name, value in {**good, **instead}.items() if value is not None}


def written(folder, save=np.savez, **instead):
    """The path of a file with them."""
    path = str(folder / "mine.npz")
    save(path, **arrays(**instead))
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "float16", ">f4", "float64", "longdouble"])
@pytest.mark.parametrize("layout", [(4, 6), (4, 6, 1), (4, 6, 3), (1, 1), (3, 3, 3)])
def test_a_good_file(save, column, kind, layout, tmp_path):
    """Bytes are divided by 255 and floats stay, in each layout, packed or not, as Keras or not."""
    rng = np.random.default_rng(2)
    xs = [(rng.random((n, *layout)) * 255).astype(kind) for n in (5, 3)]
    ys = [np.array(y, dtype=">i2") for y in ([0, 1, 2, 1, 0], [2, 0, 1])]
    given = dict(zip(ARRAYS, [xs[0], ys[0], xs[1], ys[1]], strict=True))
    if column:
        given |= {"y_train": ys[0][:, None], "y_test": ys[1][:, None]}
    path = written(tmp_path, save, **given)
    for x, y, train in zip(xs, ys, (True, False), strict=True):
        found = datasets.load(path, train=train)
        channels = (*layout, 1)[2]
        want = x.reshape(len(x), *layout[:2], channels).transpose(0, 3, 1, 2).astype(np.float32)
        want = torch.from_numpy(want.copy())
        assert same(found, Images(want / 255 if kind == "uint8" else want, found.y))
        assert found.y.tolist() == y.tolist()
        assert (found.x.dtype, found.y.dtype) == (torch.float32, torch.int64)
        assert found.x.is_contiguous()
        assert found.classes == 3


def test_a_file_in_fortran_order(tmp_path):
    """How an array lies in memory does not matter."""
    x = np.asfortranarray(arrays()["x_train"])
    plain = datasets.load(written(tmp_path))
    forget()
    assert same(datasets.load(written(tmp_path, x_train=x)), plain)


def floats(value):
    """Images of which one pixel has this value."""
    x = np.zeros((5, 4, 6))
    x[4, 3, 5] = value
    return x


OBJECTS = np.array([None] * 5, dtype=object)
SHAPE = "it needs (examples, height, width) or (examples, height, width, 1 or 3)"
PIXELS = "it needs bytes from 0 to 255, or finite floats"
UNREAL = "x_train has pixels that are no finite 32-bit numbers"
ONE = "is not one whole number for each of the 5 images of x_train"
WRONG = [
    *(({name: None}, f"{name} is not a file in the archive; it needs x_train") for name in ARRAYS),
    ({"x_train": OBJECTS}, "is damaged or no .npz archive; numpy.savez writes such a file"),
    ({"y_test": OBJECTS}, "is damaged or no .npz archive; numpy.savez writes such a file"),
    ({"x_train": np.zeros((5, 24))}, f"x_train has the shape (5, 24); {SHAPE}"),
    ({"x_test": np.zeros(())}, f"x_test has the shape (); {SHAPE}"),
    ({"x_test": np.zeros((3, 1, 4, 6))}, f"x_test has the shape (3, 1, 4, 6); {SHAPE}"),
    ({"x_train": np.zeros((5, 4, 6, 2))}, f"x_train has the shape (5, 4, 6, 2); {SHAPE}"),
    ({"x_train": np.zeros((5, 4, 6, 3, 1))}, f"x_train has the shape (5, 4, 6, 3, 1); {SHAPE}"),
    ({"x_train": np.zeros((0, 4, 6))}, f"x_train has the shape (0, 4, 6, 1); {SHAPE}"),
    ({"x_test": np.zeros((3, 0, 6, 3))}, f"x_test has the shape (3, 0, 6, 3); {SHAPE}"),
    ({"y_train": np.array([0, 1, 2, 1])}, f"y_train {ONE}"),
    ({"y_train": np.zeros((5, 3), int)}, f"y_train {ONE}"),
    ({"y_train": np.array([[0, 1, 2, 1, 0]])}, f"y_train {ONE}"),
    ({"y_train": np.array(1)}, f"y_train {ONE}"),
    ({"y_train": np.zeros(5)}, f"y_train {ONE}"),
    ({"y_train": np.zeros(5, bool)}, f"y_train {ONE}"),
    ({"y_train": np.array(list("abcde"))}, f"y_train {ONE}"),
    ({"y_train": np.array([0, 1, -1, 2, 0])}, "y_train has a class below 0; classes are 0, 1, 2"),
    ({"y_test": np.array([0, 1, 3])}, "y_test has class 3, which y_train has not"),
    *(({"x_train": floats(x)}, f"{UNREAL}; {PIXELS}") for x in (np.nan, np.inf, -np.inf, -4e38)),
    ({"x_train": np.zeros((5, 4, 6), int)}, f"x_train is of int64; {PIXELS}"),
    ({"x_train": np.zeros((5, 4, 6), np.int8)}, f"x_train is of int8; {PIXELS}"),
    ({"x_train": np.zeros((5, 4, 6), bool)}, f"x_train is of bool; {PIXELS}"),
    ({"x_train": np.zeros((5, 4, 6), complex)}, f"x_train is of complex128; {PIXELS}"),
    ({"x_test": np.zeros((3, 4, 5))}, "images of x_train and x_test differ in size"),
    ({"x_test": np.zeros((3, 4, 6, 3))}, "images of x_train and x_test differ in size"),
]


@pytest.mark.parametrize(("instead", "says"), WRONG, ids=[says[:40] for _, says in WRONG])
def test_a_wrong_file_is_refused(instead, says, tmp_path):
    """One line names the file, the array, and what is needed."""
    path = written(tmp_path, **instead)
    line = refusal(datasets.load, path)
    assert line.startswith(f"{path}: {says}")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "No such file or directory"),
        ("folder", "Is a directory"),
        (b"", "is damaged or no .npz archive"),
        (b"PK\3\4", "is damaged or no .npz archive"),
        (b"x_train,y_train\n1,2\n", "is damaged or no .npz archive"),
        (pickle.dumps({"x_train": 1}), "is damaged or no .npz archive"),
        ("array", "is damaged or no .npz archive"),
    ],
)
def test_what_is_no_archive_is_refused(data, why, tmp_path):
    """What cannot be opened, or is something else, is refused in one line that says what to do."""
    path = tmp_path / "mine.npz"
    if data == "folder":
        path.mkdir()
    elif data == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif data is not None:
        path.write_bytes(data)
    line = refusal(datasets.load, str(path))
    assert line.startswith(f"{path}: {why}; numpy.savez writes such a file of {', '.join(ARRAYS)}")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_never_looks_like_a_good_one(save, tmp_path):
    """Whatever byte is changed, and wherever it is cut: the line, or the same images as before."""
    path = written(tmp_path, save)
    whole, train, test = Path(path).read_bytes(), *datasets._npz(path)
    broken = [whole[:size] for size in range(0, len(whole), 16)]
    broken += [
        whole[:at] + bytes([whole[at] ^ 33]) + whole[at + 1 :] for at in range(0, len(whole), 3)
    ]
    refused = 0
    for data in broken:
        Path(path).write_bytes(data)
        forget()
        try:
            assert same(datasets.load(path), train)
            assert same(datasets.load(path, train=False), test)
        except TrainingError:
            refused += 1
    assert refused > len(broken) / 2


def test_a_file_is_read_once(tmp_path):
    """Training and test set are of the same file, even if it is written anew between the two."""
    path = written(tmp_path)
    datasets.load(path)
    wanted = torch.from_numpy(arrays()["x_test"]).unsqueeze(1) / 255
    written(tmp_path, x_test=np.zeros((3, 4, 6)))
    assert torch.equal(datasets.load(path, train=False).x, wanted)


def test_a_relative_path_is_of_the_folder_where_one_is(tmp_path, monkeypatch):
    """The same word in another folder is another file."""
    for number, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, x_train=np.full((5, 4, 6), float(number)))
        monkeypatch.chdir(tmp_path / name)
        assert datasets.load("mine.npz").x.unique().tolist() == [number]


# ------------------------------------------------------------------------------------------ digits


def test_digits():
    """Four fifths of the 1,797 to learn from, one to test, 8x8 in grey, ten classes."""
    train, test = datasets.load("digits"), datasets.load("digits", train=False)
    assert (train.x.shape, test.x.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert (train.x.dtype, train.y.dtype) == (torch.float32, torch.int64)
    assert (float(train.x.min()), float(train.x.max())) == (0, 1)
    assert train.classes == test.classes == 10


def test_digits_are_all_of_them():
    """Training and test set together are scikit-learn's images, each once, with its class."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - slow

    found = load_digits()
    train, test = datasets.load("digits"), datasets.load("digits", train=False)
    rows = torch.cat(
        [torch.cat([part.x.flatten(1) * 16, part.y[:, None]], 1) for part in (train, test)]
    )
    wanted = np.column_stack([found.data, found.target])
    assert sorted(rows.int().tolist()) == sorted(wanted.astype(int).tolist())
    assert len(rows.unique(dim=0)) == 1797


def test_digits_have_one_order():
    """Which images are for the test never changes, or old results could not be compared."""
    data = datasets.load("digits", train=False)
    assert data.y[:12].tolist() == [0, 0, 9, 9, 2, 5, 8, 0, 0, 3, 5, 0]
    digest = hashlib.sha256(data.x.numpy().tobytes()).hexdigest()
    assert digest == "4d770f4d2e4071af0d7faf1797ad64175255e5874ff7d1e3e699dd2554a152d9"
    forget()
    assert same(datasets.load("digits", train=False), data)


@pytest.mark.parametrize("name", ["digits", "mine.npz"])
def test_no_network_is_needed(name, tmp_path, monkeypatch, capsys):
    """Digits and a file of one's own open no connection, make no folder, and say nothing."""

    def connect(*_args):
        pytest.fail("somebody was asked")

    monkeypatch.setattr(socket.socket, "connect", connect)
    path = name if name in NAMES else written(tmp_path)
    before = contents(tmp_path)
    assert len(datasets.load(path, str(tmp_path / "none")).x)
    assert contents(tmp_path) == before
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------ names and places


@pytest.mark.parametrize("name", [*NAMES, "mine.npz", "/else/where/mnist.npz"])
def test_names(name):
    """The four names and all files .npz are taken as they are."""
    assert datasets.named("--dataset", name) == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MNIST", "did you mean mnist?"),
        ("mnits", "did you mean mnist?"),
        ("fashion", "did you mean fashion-mnist?"),
        ("cifar-10", "did you mean cifar10?"),
        ("digit", "did you mean digits?"),
        *(
            (name, f"one of {', '.join(NAMES)}, or a file.npz with {', '.join(ARRAYS)}")
            for name in ("", "imagenet21k", "mine.npy", "a\nb", "x" * 300)
        ),
    ],
)
def test_misspelt_names_get_a_hint(name, hint):
    """What is no set is quoted, and the likely one or all of them are named."""
    line = refusal(datasets.named, "--dataset", name)
    shown = repr(name if len(name) <= 40 else name[:37] + "...")
    assert line == f"--dataset: {shown} is no data set; {hint}"
    assert refusal(datasets.load, name) == line


def test_titles():
    """Sets are called what people call them, files by their names."""
    assert [datasets.title(name) for name in (*NAMES, "/a/b/mine.npz")] == [
        *("MNIST", "Fashion-MNIST", "CIFAR-10", "scikit-learn's digits", "mine.npz")
    ]


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """The user's cache folder."""
    import platformdirs  # noqa: PLC0415 - as the source does

    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "archcalc"


@pytest.mark.parametrize(
    ("option", "environment", "wanted"),
    [
        ("/option", "/environment", "/option"),
        ("/option", None, "/option"),
        (None, "/environment", "/environment"),
        ("", "/environment", "/environment"),
        (None, None, None),
        (None, "", None),
    ],
)
def test_places(option, environment, wanted, cache, monkeypatch):
    """--data-dir comes before ARCHCALC_DATA, and that before the user's cache folder."""
    if environment is not None:
        monkeypatch.setenv("ARCHCALC_DATA", environment)
    assert datasets.place(option) == (Path(wanted) if wanted else cache)


def test_a_place_is_one_place(small, cache, tmp_path, monkeypatch):
    """Each way to say a folder is used: the set is downloaded there, and found there."""
    for place in ("option", "environment"):
        (tmp_path / place).mkdir()
    small.lay(tmp_path / "environment")
    small.load(tmp_path / "option")
    monkeypatch.setenv("ARCHCALC_DATA", str(tmp_path / "environment"))
    asked = len(small.server.asked)
    assert small.right(datasets.load("mnist"))
    assert len(small.server.asked) == asked
    monkeypatch.delenv("ARCHCALC_DATA")
    assert small.right(datasets.load("mnist"))
    assert len(small.server.asked) > asked
    assert (cache / "MNIST").is_dir()


@pytest.mark.parametrize("word", ["~/data", "~", "data", "."])
def test_short_ways_to_say_a_folder(small, word, tmp_path, monkeypatch):
    """A folder of one's home, or below where one is, is that folder, for torchvision too."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    assert small.right(small.load(word))
    base = tmp_path / ("home" if word.startswith("~") else "here")
    wanted = (base / word.removeprefix("~").removeprefix("/")).resolve()
    assert [path.parent for path in tmp_path.rglob("MNIST")] == [wanted]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    small.server.how = "missing"
    small.refused(word)


def test_a_folder_of_nobody_is_a_name(tmp_path, monkeypatch):
    """``~nobody-of-this-name`` is as good a folder as any."""
    monkeypatch.chdir(tmp_path)
    assert datasets.place("~no-such-user") == tmp_path / "~no-such-user"


def test_a_folder_that_has_no_name_is_refused():
    """A zero byte cannot be in a folder's name."""
    assert refusal(datasets.place, "a\0b") == r"--data-dir: 'a\x00b' is no folder's name"
    line = refusal(datasets.load, "a\0b.npz")
    assert "is damaged or no .npz archive; " in line


@pytest.mark.parametrize(
    ("name", "package", "who"),
    [
        ("mnist", "torchvision", "MNIST"),
        ("cifar10", "torchvision", "CIFAR-10"),
        ("digits", "sklearn", "digits"),
        ("mnist", "platformdirs", "a cache folder"),
    ],
)
def test_missing_packages_are_named(name, package, who, monkeypatch, tmp_path):
    """Without a package one line says which, for what, and how to install it."""
    found = importlib.util.find_spec

    def find(wanted, *args):
        return None if wanted == package else found(wanted, *args)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    folder = None if package == "platformdirs" else str(tmp_path / "none")
    with pytest.raises(StatedError) as caught:
        datasets.load(name, folder)
    assert str(caught.value) == f"{who} needs {package}; pip install 'archcalc[training]'"
    assert caught.value.status == 1
    assert contents(tmp_path) == {}


# --------------------------------------------------------------------------- what is done to images


def numbered(count, channels=1):
    """Images that say which they are."""
    y = torch.arange(count)
    return Images(y.view(-1, 1, 1, 1).expand(-1, channels, 2, 3).float(), y)


@given(st.integers(1, 60), st.integers(0, 2**70), st.data())
@example(1437, 0, None)
@laws
def test_a_split_is_of_all_images(count, seed, data):
    """As many as are wanted are held out; no image is lost, doubled, or parted from its class."""
    held = data.draw(st.integers(0, count)) if data else 137
    images = numbered(count)
    rest, own = images.split(held, seed)
    assert (len(rest.x), len(own.x)) == (count - held, held)
    assert sorted(rest.y.tolist() + own.y.tolist()) == list(range(count))
    for part in (rest, own):
        assert torch.equal(part.x[:, 0, 0, 0].long(), part.y)
        assert torch.equal(part.y, part.y.sort().values)
    assert all(same(*pair) for pair in zip((rest, own), images.split(held, seed), strict=True))


def test_the_seed_decides_the_split():
    """Another seed holds out other images, each image about as often as any other."""
    images = numbered(50)
    chosen = [tuple(images.split(10, seed)[1].y.tolist()) for seed in range(400)]
    assert len(set(chosen)) == 400
    often = torch.bincount(torch.tensor(chosen).flatten(), minlength=50)
    # 80 times each, give or take five standard deviations of 8
    assert (often - 80).abs().max() <= 40


def test_a_stated_split_is_that_split():
    """What seed 0 holds out of fifty images never changes."""
    assert numbered(50).split(8, 0)[1].y.tolist() == [1, 9, 12, 16, 23, 24, 37, 49]


def test_a_smaller_validation_split_is_part_of_a_larger_one():
    """Where fewer are held out, they are among those that would be if more were."""
    small, large = (set(numbered(50).split(held, 3)[1].y.tolist()) for held in (5, 20))
    assert small < large


@given(st.integers(1, 3), st.integers(2, 40), st.integers(0, 10**6), st.floats(-50, 50))
@laws
def test_normalization_is_of_the_set(channels, count, seed, offset):
    """Mean and deviation are torch's in 64 bits; what they normalize has mean 0 and deviation 1."""
    drawn = torch.Generator().manual_seed(seed)
    x = torch.randn(count, channels, 3, 5, generator=drawn) * 2 + offset
    images = Images(x, torch.zeros(count).long())
    found = Normalization.of(images)
    each = x.double().transpose(0, 1).flatten(1)
    assert torch.equal(found.mean, each.mean(1).float())
    torch.testing.assert_close(found.std, each.std(1, correction=0).float(), rtol=3e-7, atol=0)
    done = found(images)
    values = done.x.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(values.mean(1), torch.zeros(channels).double(), rtol=0, atol=3e-6)
    torch.testing.assert_close(
        values.std(1, correction=0), torch.ones(channels).double(), rtol=1e-5, atol=0
    )
    assert done.y is images.y


@given(st.floats(0, 1, width=32), st.integers(1, 200))
@example(0.1, 3)
@example(0.0, 1)
@laws
def test_a_channel_of_one_colour_is_not_blown_up(colour, count):
    """A constant channel becomes 0, and what the test set has in it is not divided by rounding."""
    x = torch.full((count, 2, 3, 3), colour)
    x[:, 1] = torch.linspace(0, 1, 9).view(3, 3)
    found = Normalization.of(Images(x, torch.zeros(count)))
    assert found.std[0] == 1
    assert 0.3 < found.std[1] < 0.4
    done = found(Images(x + 1, torch.zeros(count))).x
    assert done[:, 0].sub(1).abs().max() < 1e-6


def test_normalization_is_exact_for_many_pixels():
    """Two million pixels far from 0 lose nothing that 32 bits can show."""
    x = 1000 + torch.rand(2000, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    found = Normalization.of(Images(x, torch.zeros(2000)))
    values = x.double().numpy()
    assert float(found.mean) == np.float32(values.mean())
    assert float(found.std) == np.float32(values.std())


def test_resized():
    """Another size is the bilinear mean, not a sample; the same size is the same images."""
    x = torch.arange(16.0).view(1, 1, 4, 4).repeat(2, 3, 1, 1) / 15
    images = Images(x, torch.tensor([1, 0]))
    assert images.resized(4, 4) is images
    small = images.resized(2, 2)
    assert small.x.shape == (2, 3, 2, 2)
    assert torch.equal(small.y, images.y)
    # antialiased, each pixel is of 3x3 with the weights 3, 3, 1 towards the border
    weight = torch.tensor([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7
    torch.testing.assert_close(small.x, weight @ x @ weight.T)
    assert images.resized(3, 7).x.shape == (2, 3, 3, 7)


@given(st.integers(1, 9), st.integers(1, 9))
@laws
def test_resizing_keeps_constants_and_the_range(height, width):
    """One colour stays it, and no pixel is darker or lighter than all that there were."""
    x = torch.rand(2, 1, 5, 4, generator=torch.Generator().manual_seed(7))
    found = Images(x, torch.zeros(2)).resized(height, width).x
    assert found.shape == (2, 1, height, width)
    assert x.min() - 1e-6 <= found.min()
    assert found.max() <= x.max() + 1e-6
    grey = Images(torch.full((1, 1, 5, 4), 0.3), torch.zeros(1)).resized(height, width).x
    torch.testing.assert_close(grey, torch.full_like(grey, 0.3))


def test_on_a_device():
    """Images and classes go together, and what was done to them on one device is done on it."""
    found = numbered(5).to("meta")
    assert found.x.device.type == found.y.device.type == "meta"
    assert numbered(5).to(torch.device("cpu")).x.device.type == "cpu"
