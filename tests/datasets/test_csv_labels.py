from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.datasets.opening import open_dataset
from dashboard.errors import InputError
from tests.datasets.pictures import write, zip_folder

ROWS = "path,label\na.jpg,cat\nsub/b.jpg,dog\nc.jpg,cat\n"


def table(
    tmp_path: Path, text: str | bytes, name: str = "labels.csv", pictures=("a.jpg", "sub/b.jpg", "c.jpg")
) -> Path:
    for i, picture in enumerate(pictures):
        write(tmp_path / picture, i)
    tmp_path.mkdir(exist_ok=True)
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def refused(file: Path, match: str, **options: str) -> str:
    with pytest.raises(InputError, match=match) as info:
        open_dataset(file, options=options)
    assert str(file) in str(info.value)
    assert "\n" not in str(info.value)
    return str(info.value)


class TestReading:
    def test_plain(self, tmp_path):
        data = open_dataset(table(tmp_path, ROWS))
        assert data.ids == ["a.jpg", "sub/b.jpg", "c.jpg"]
        assert data.class_names == ("cat", "dog")
        assert data.targets.tolist() == [0, 1, 0]
        assert (data.name, data.multilabel, data.warnings) == ("labels", False, ())
        assert data[1].image.shape == (24, 32, 3)

    @pytest.mark.parametrize(
        "header", ["Image,Class", "filename,TARGET", "id,labels", "file_name,class_name", " path , label "]
    )
    def test_other_names_of_the_columns(self, tmp_path, header):
        data = open_dataset(table(tmp_path, ROWS.replace("path,label", header)))
        assert data.targets.tolist() == [0, 1, 0]

    @pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
    def test_other_delimiters(self, tmp_path, delimiter):
        assert open_dataset(table(tmp_path, ROWS.replace(",", delimiter))).class_names == ("cat", "dog")

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_as_spreadsheets_write_it(self, tmp_path, encoding):
        text = ROWS.replace("cat", "貓").replace("\n", "\r\n")
        assert open_dataset(table(tmp_path, text.encode(encoding))).class_names == ("dog", "貓")

    def test_tsv_quotes_blank_lines_and_windows_paths(self, tmp_path):
        text = '\npath\tlabel\n"a.jpg"\t"cat, small"\n\nsub\\b.jpg\tdog\n.\\c.jpg\tdog\n\n'
        data = open_dataset(table(tmp_path, text, "labels.tsv"))
        assert data.class_names == ("cat, small", "dog")
        assert data.ids == ["a.jpg", "sub/b.jpg", "c.jpg"]

    def test_other_columns_are_tags(self, tmp_path):
        text = "path,label,light,width\na.jpg,cat,day,3\nsub/b.jpg,dog,night,4.5\nc.jpg,cat,,1\n"
        data = open_dataset(table(tmp_path, text))
        assert dict(data[1].tags) == {"light": "night", "width": 4.5}

    def test_numbers_sort_as_numbers(self, tmp_path):
        data = open_dataset(table(tmp_path, "path,label\na.jpg,10\nsub/b.jpg,9\nc.jpg,0\n"))
        assert data.class_names == ("0", "9", "10")

    def test_classes_txt_fixes_the_order(self, tmp_path):
        file = table(tmp_path, ROWS)
        (tmp_path / "classes.txt").write_text("dog\ncat\neel\n")
        data = open_dataset(file)
        assert data.class_names == ("dog", "cat", "eel")
        assert data.targets.tolist() == [1, 0, 1]
        assert data.warnings == ("1 of 3 classes without pictures: 'eel'.",)
        other = tmp_path / "order.txt"
        other.write_text("eel\ncat\ndog")
        assert open_dataset(file, options={"classes": str(other)}).class_names == ("eel", "cat", "dog")

    def test_folder_with_one_such_csv(self, tmp_path):
        (tmp_path / "set").mkdir()
        table(tmp_path / "set", ROWS)
        (tmp_path / "set" / "other.csv").write_text("a,b\n1,2\n")
        data = open_dataset(tmp_path / "set")
        assert (data.name, data.ids[1]) == ("set", "sub/b.jpg")
        (tmp_path / "set" / "second.csv").write_text(ROWS)
        with pytest.raises(InputError, match=r"holds several \(labels\.csv, other\.csv, second\.csv\)"):
            open_dataset(tmp_path / "set", format="csv")

    def test_absolute_paths(self, tmp_path):
        inside, outside = write(tmp_path / "set" / "a.jpg"), write(tmp_path / "else" / "b.jpg")
        file = table(tmp_path / "set", f"path,label\n{inside},cat\n{outside},dog\n", pictures=())
        data = open_dataset(file)
        assert data.ids == ["a.jpg", outside.as_posix()]
        assert data[1].image.shape == (24, 32, 3)

    def test_truth_without_its_pictures(self, tmp_path):
        file = table(tmp_path, ROWS, pictures=("a.jpg",))
        data = open_dataset(file, options={"require_files": "false"})
        assert data.targets.tolist() == [0, 1, 0]
        assert "2 of 3 pictures are not here" in data.warnings[0]
        assert data.fingerprint
        with pytest.raises(InputError, match=r"b\.jpg does not exist"):
            _ = data[1].image


class TestMultiLabel:
    TEXT = "path,label\na.jpg,cat;dog\nsub/b.jpg, dog | eel |\nc.jpg,\n"

    def test_several_labels(self, tmp_path):
        data = open_dataset(table(tmp_path, self.TEXT))
        assert data.multilabel
        assert data.class_names == ("cat", "dog", "eel")
        assert data.targets == [(0, 1), (1, 2), ()]
        assert data[1].target.labels == (1, 2)
        assert data[2].target.labels == ()
        assert data[2].target.multilabel

    def test_by_choice(self, tmp_path):
        assert open_dataset(table(tmp_path, ROWS), options={"multilabel": "true"}).targets == [(0,), (1,), (0,)]
        data = open_dataset(table(tmp_path, ROWS.replace("dog", "dog;eel")), options={"multilabel": "false"})
        assert data.class_names == ("cat", "dog;eel")

    def test_a_class_name_that_contains_the_separator(self, tmp_path):
        (tmp_path / "classes.txt").write_text("cat\nhot|cold\n")
        data = open_dataset(table(tmp_path, ROWS.replace("dog", "hot|cold")))
        assert not data.multilabel
        assert data.targets.tolist() == [0, 1, 0]

    def test_no_label_at_all(self, tmp_path):
        refused(table(tmp_path, "path,label\na.jpg,\n"), "no label in any line", multilabel="true")


class TestBadInput:
    def test_missing_columns(self, tmp_path):
        message = refused(table(tmp_path, "picture,kind\na.jpg,cat\n"), "header must name a path and a label column")
        assert "picture, kind" in message

    def test_missing_columns_in_a_folder(self, tmp_path):
        file = table(tmp_path / "set", "picture,kind\na.jpg,cat\n", pictures=("a.jpg",))
        with pytest.raises(InputError, match="the columns are picture, kind") as info:
            open_dataset(file.parent)
        assert str(file) in str(info.value)

    def test_missing_files(self, tmp_path):
        rows = "".join(f"no{i}.jpg,cat\n" for i in range(5))
        message = refused(table(tmp_path, "path,label\na.jpg,dog\n" + rows), "5 of 6 pictures are missing")
        assert "no0.jpg (line 3), no1.jpg (line 4), no2.jpg (line 5), ..." in message

    def test_unknown_label(self, tmp_path):
        (tmp_path / "classes.txt").write_text("cat\ndig\n")
        message = refused(table(tmp_path, ROWS), "line 3: unknown label 'dog'")
        assert "Did you mean 'dig'?" in message

    def test_duplicate_ids(self, tmp_path):
        refused(table(tmp_path, ROWS + "./a.jpg,dog\n"), r"lines 2 and 5: the picture 'a\.jpg' occurs twice")

    def test_ragged_line(self, tmp_path):
        refused(table(tmp_path, ROWS + "d.jpg,cat,small\n"), "line 5: 3 cells where the header has 2")
        refused(table(tmp_path, ROWS + "d.jpg\n"), "line 5: 1 cells where the header has 2")

    @pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
    def test_empty(self, tmp_path, text):
        refused(table(tmp_path, text), "is empty")

    def test_header_only(self, tmp_path):
        refused(table(tmp_path, "path,label\n"), "has a header but no lines")

    def test_empty_cells(self, tmp_path):
        refused(table(tmp_path, "path,label\na.jpg,\n"), "line 2: no label.*multilabel=true")
        refused(table(tmp_path, "path,label\n,cat\n"), "line 2: the path is empty")

    def test_not_text(self, tmp_path):
        refused(table(tmp_path, b"path,label\n\xff\xfe\x00"), "is not UTF-8 text")

    def test_classes_txt_with_a_name_twice(self, tmp_path):
        (tmp_path / "classes.txt").write_text("cat\ndog\ncat\n")
        with pytest.raises(InputError, match=r"classes\.txt, lines 1 and 3: the class 'cat' occurs twice"):
            open_dataset(table(tmp_path, ROWS))

    def test_options(self, tmp_path):
        file = table(tmp_path, ROWS)
        with pytest.raises(InputError, match=r"no option 'multilable'.*Did you mean 'multilabel'"):
            open_dataset(file, options={"multilable": "true"})
        with pytest.raises(InputError, match="multilabel must be true or false, got 'maybe'"):
            open_dataset(file, options={"multilabel": "maybe"})


class TestConfined:
    @pytest.mark.parametrize("path", ["../secret.jpg", "sub/../../secret.jpg", "/etc/passwd"])
    def test_paths_outside(self, tmp_path, path):
        write(tmp_path / "secret.jpg")
        file = table(tmp_path / "set", f"path,label\na.jpg,cat\n{path},dog\n")
        refused(file, "line 3: .* lies outside the folder of the CSV", confine="true")
        if path.startswith("../"):
            assert len(open_dataset(file)) == 2  # on one's own machine that is allowed

    def test_links_outside(self, tmp_path):
        write(tmp_path / "secret.jpg")
        file = table(tmp_path / "set", "path,label\nlink.jpg,cat\n", pictures=())
        (tmp_path / "set" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        refused(file, "lies outside", confine="true")

    def test_always_so_in_a_zip(self, tmp_path):
        secret = write(tmp_path / "secret.jpg")
        table(tmp_path / "set", f"path,label\na.jpg,cat\n{secret},dog\n")
        archive = zip_folder(tmp_path / "set", tmp_path / "set.zip")
        with pytest.raises(InputError, match=r"set\.zip/labels\.csv, line 3: .* lies outside") as info:
            open_dataset(archive, cache_dir=tmp_path / "cache", options={"confine": "false"})
        assert "cache" not in str(info.value)
