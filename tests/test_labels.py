from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dashboard.errors import InputError
from dashboard.labels import match_classes, normalise, read_class_names, read_mapping, used_classes

# The awkward corner of ImageNet: two cranes, two maillots, a name within another's synonyms.
NAMES = ["tench, Tinca tinca", "crane", "crane", "maillot", "maillot, tank suit", "missile", "projectile, missile"]
IDS = ["n01440764", "n02012849", "n03126707", "n03710637", "n03710721", "n03773504", "n04008634"]


def match(dataset, model=NAMES, ids=IDS, mapping=None, dataset_ids=()):
    found = match_classes(dataset, dataset_ids, model, ids, mapping)
    assert found.to_model.dtype == np.int64
    return found.to_model.tolist(), found.how


class TestIds:
    def test_folder_names(self):
        assert match(["n03126707", "n01440764"]) == ([2, 0], "WordNet ids")

    def test_beside_names(self):
        assert match(["crane", "crane"], dataset_ids=["n03126707", "n02012849"]) == ([2, 1], "WordNet ids")

    def test_with_names_among_them(self):
        assert match(["n03126707", "tench"]) == ([2, 0], "WordNet ids and names")

    def test_model_whose_names_are_ids(self):
        assert match(["n03126707"], IDS, ()) == ([2], "names")

    def test_model_without_ids(self):
        with pytest.raises(InputError, match=r"These are WordNet ids and the model only has names.*mapping file"):
            match(["n03126707", "n09999999"], NAMES, ())

    def test_unknown_id(self):
        with pytest.raises(InputError, match="1 of the dataset's 2 classes is not among the model's 7: 'n09999999'"):
            match(["n03126707", "n09999999"])


class TestNames:
    @pytest.mark.parametrize(
        ("dataset", "model"),
        [
            ("Great White Shark", "great white shark"),
            ("great_white_shark", "great white shark"),
            ("great-white-shark", "Great White Shark"),
            (" jack-o'-lantern ", "jack-o’-lantern"),
            ("jack o lantern", "jack-o'-lantern"),
            ("tench", "tench, Tinca tinca"),
            ("tinca tinca", "tench, Tinca tinca"),
            ("tench, Tinca tinca", "tench"),
            ("Straße", "STRASSE"),
            ("金魚", "金魚"),
        ],
    )
    def test_spellings(self, dataset, model):
        assert match([dataset], ["other", model], ()) == ([1], "names")

    def test_every_class_of_another_order(self):
        order = np.random.default_rng(0).permutation(1000)
        names = [f"class number {i}" for i in range(1000)]
        assert match([names[i] for i in order], names, ())[0] == order.tolist()

    def test_exact_name_before_a_synonym(self):
        assert match(["maillot", "missile", "projectile"]) == ([3, 5, 6], "names")

    def test_exact_spelling_before_another_case(self):
        assert match(["Polish", "polish"], ["polish", "Polish"], ())[0] == [1, 0]

    def test_the_very_name_of_another_class(self):
        """CD4+ and CD4- normalise alike."""
        assert match(["CD4+", "CD4-"], ["CD4-", "CD4+"], ())[0] == [1, 0]
        with pytest.raises(InputError, match=r"1 of the dataset's 2 classes is not among the model's 2: 'CD4\+'"):
            match(["CD4+", "CD4-"], ["CD4-", "rest"], ())
        found = match_classes(["CD4+", "CD4-"], (), ["CD4-", "rest"], (), used=[False, False])
        assert found.to_model.tolist() == [-1, 0]

    @pytest.mark.parametrize("name", ["-1", "+1", "1.", "1_", "(1)"])
    def test_a_number_with_a_sign_is_not_that_number(self, name):
        for dataset, model in ((name, "1"), ("1", name)):
            with pytest.raises(InputError, match="not among the model's 2"):
                match([dataset, "rest"], ["rest", model], ())
        assert match([name], ["1", name], ())[0] == [1]

    def test_two_cranes(self):
        with pytest.raises(InputError, match="'crane' matches 2 classes of the model") as info:
            match(["tench", "crane"])
        assert "'crane' (output 1, n02012849) and 'crane' (output 2, n03126707)" in str(info.value)

    def test_two_dataset_classes_for_one(self):
        with pytest.raises(InputError, match="'tench' and 'Tench' both match the model's 'tench, Tinca tinca'"):
            match(["tench", "Tench"])

    def test_unmatched(self):
        with pytest.raises(InputError, match=r"6 of the dataset's 7 classes are not among the model's 7") as info:
            match(["tench", "missle", "b", "c", "d", "e", "f"])
        assert "'missle', 'b', 'c', 'd', 'e', ..." in str(info.value)
        assert "Did you mean 'missile'?" in str(info.value)
        assert "mapping file" in str(info.value)
        assert "\n" not in str(info.value)

    def test_nothing_close(self):
        with pytest.raises(InputError, match=r"The model has 'tench, Tinca tinca', 'crane', 'crane', ...: rename"):
            match(["xyzzy"])

    def test_model_with_numbers_for_names(self):
        with pytest.raises(InputError, match=r"The model has only numbers for names.*--classes FILE"):
            match(["cat", "dog"], ["0", "1"], ())

    def test_no_names(self):
        with pytest.raises(InputError, match="--classes FILE"):
            match(["cat"], [], ())
        with pytest.raises(InputError, match="no classes"):
            match([])

    def test_never_by_position(self):
        with pytest.raises(InputError, match="2 of the dataset's 2 classes"):
            match(["cat", "dog"], ["first", "second"], ())


class TestIndices:
    def test_bare_numbers(self):
        assert match(["0", "5", "10"], [f"c{i}" for i in range(11)], ()) == ([0, 5, 10], "indices")
        assert match(["000", "005"], NAMES) == ([0, 5], "indices")

    def test_names_that_are_numbers_are_names(self):
        assert match(["1", "0"], ["0", "1", "2"], ()) == ([1, 0], "names")

    def test_out_of_range(self):
        with pytest.raises(InputError, match=r"would have to be in 0\.\.6, but 7 occurs: renumber from 0"):
            match(["1", "7"])

    def test_not_for_some(self):
        with pytest.raises(InputError, match="Numbers only count as output indices when every class is one"):
            match(["tench", "1"])

    def test_the_same_number_twice(self):
        with pytest.raises(InputError):
            match(["1", "01"])


class TestMapping:
    def test_names_ids_and_indices(self):
        mapping = {"bird": "n02012849", "machine": "2", "fish": "tench"}
        assert match(["fish", "machine", "bird"], mapping=mapping) == ([0, 2, 1], "mapping file")

    def test_for_some_only(self):
        assert match(["crane", "tench"], mapping={"crane": "2"}) == ([2, 0], "mapping file and names")

    def test_by_the_dataset_id(self):
        assert match(["n02012849"], ["bird"], (), {"n02012849": "bird"}) == ([0], "mapping file")

    def test_two_into_one(self):
        assert match(["carp", "eel"], mapping={"carp": "tench", "eel": "tench"})[0] == [0, 0]
        with pytest.raises(InputError, match="'tench' and 'eel' both match"):
            match(["tench", "eel"], mapping={"eel": "tench"})

    def test_more_than_the_dataset_has(self):
        assert match(["eel"], mapping={"eel": "tench", "carp": "tench"})[0] == [0]

    def test_wrong(self):
        with pytest.raises(
            InputError, match=r"sends 'eel' to 'tensh', which is not a class of the model.*Did you mean"
        ):
            match(["eel"], ["tench"], (), {"eel": "tensh"})
        with pytest.raises(InputError, match="sends 'eel' to '7'"):
            match(["eel"], mapping={"eel": "7"})
        for wanted in ("-1", "1.", "+1"):
            with pytest.raises(InputError, match=f"sends 'eel' to '{re.escape(wanted)}', which is not a class"):
                match(["eel"], ["0", "1"], (), {"eel": wanted})
        with pytest.raises(InputError, match="names none of the dataset's classes: 'ele'"):
            match(["eel"], mapping={"ele": "tench"})
        with pytest.raises(InputError, match="matches 2 classes"):
            match(["eel"], mapping={"eel": "crane"})


class TestFiles:
    def write(self, tmp_path: Path, text: str, name: str = "map.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    @pytest.mark.parametrize(
        "text",
        [
            'cat,tabby\n"dog, wild",dingo\n',
            '\ufeffDataset class,model_class\r\ncat,tabby\r\n\r\n"dog, wild" , dingo\r\n',
            "cat\ttabby\ndog, wild\tdingo\n",
            json.dumps({"cat": "tabby", "dog, wild": "dingo"}),
        ],
    )
    def test_mapping(self, tmp_path, text):
        assert read_mapping(self.write(tmp_path, text)) == {"cat": "tabby", "dog, wild": "dingo"}

    def test_mapping_to_numbers(self, tmp_path):
        assert read_mapping(self.write(tmp_path, '{"cat": 281}')) == {"cat": "281"}

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("cat,tabby\ndog\n", "line 2: expected two cells"),
            ("cat,tabby\ndog,a,b\n", "line 2: expected two cells, .* got 3: put names that contain a comma in double"),
            ("cat,tabby\ndog,\n", "line 2: expected two cells"),
            ("cat,a\ndog,b\ncat,c\n", "lines 1 and 3: 'cat' is mapped twice"),
            ("\n", "maps no class"),
            ('{"cat": "a",}', "line 1: not valid JSON"),
            ('{"cat": ["a"]}', "entry 'cat' must be a model class"),
        ],
    )
    def test_bad_mapping(self, tmp_path, text, sentence):
        path = self.write(tmp_path, text)
        with pytest.raises(InputError, match=sentence) as info:
            read_mapping(path)
        assert str(path) in str(info.value)

    def test_class_names(self, tmp_path):
        assert read_class_names(self.write(tmp_path, "crane\n big cat \ncrane\n\n")) == ("crane", "big cat", "crane")

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [("", "has no class names"), ("a\n\nb\n", "line 2: empty line"), ("a\0b", "not a text file")],
    )
    def test_bad_class_names(self, tmp_path, text, sentence):
        with pytest.raises(InputError, match=rf"names\.txt.*{sentence}"):
            read_class_names(self.write(tmp_path, text, "names.txt"))

    def test_missing_and_unreadable(self, tmp_path):
        with pytest.raises(InputError, match=r"no\.txt cannot be read"):
            read_class_names(tmp_path / "no.txt")
        (tmp_path / "a.csv").write_bytes(b"\x80\x81\x82")
        with pytest.raises(InputError, match=r"a\.csv is not UTF-8 text"):
            read_mapping(tmp_path / "a.csv")


def test_normalise():
    assert normalise("  Grey_Whale's--CALF ") == "grey whales calf"


class TestClassesWithoutSamples:
    def found(self, dataset, model, used, **options):
        found = match_classes(dataset, (), model, (), used=used, **options)
        return found.to_model.tolist(), found.how

    def test_need_not_match(self):
        assert self.found(["cat", "77", "dog"], ["dog", "cat"], [True, False, True]) == ([1, -1, 0], "names")

    def test_match_if_they_can(self):
        assert self.found(["cat", "dog"], ["dog", "cat"], [True, False]) == ([1, 0], "names")

    def test_a_number_beyond_the_model(self):
        digits = [str(i) for i in range(10)]
        assert self.found([*digits, "77"], digits, [True] * 10 + [False]) == ([*range(10), -1], "names")
        names = [f"class {i}" for i in range(10)]
        assert self.found(["3", "77", "x", "1"], names, [True, False, False, True]) == ([3, -1, -1, 1], "indices")

    def test_ambiguous_or_taken_ones_are_left_alone(self):
        assert self.found(["crane", "ox"], ["crane", "crane", "ox"], [False, True])[0] == [-1, 2]
        assert self.found(["Cat", "cat"], ["cat"], [False, True])[0] == [-1, 0]
        assert self.found(["cat", "Cat"], ["cat"], [True, False])[0] == [0, -1]

    def test_those_with_samples_must(self):
        with pytest.raises(InputError, match="1 of the dataset's 2 classes is not among the model's 2: 'emu'"):
            self.found(["cat", "emu", "77"], ["cat", "dog"], [True, True, False])

    def test_mapping_still_counts(self):
        mapping = {"a": "dog", "b": "cat"}
        assert self.found(["a", "b"], ["dog", "cat"], [True, False], mapping=mapping) == ([0, 1], "mapping file")

    def test_none_at_all(self):
        assert self.found(["a", "b"], ["dog", "cat"], [False, False])[0] == [-1, -1]

    def test_as_many_as_classes(self):
        with pytest.raises(ValueError, match="used must have 2"):
            self.found(["a", "b"], ["a", "b"], [True])

    def test_from_targets(self):
        assert used_classes(np.array([0, 2, 2]), 4) == [True, False, True, False]
        assert used_classes([(0, 3), (), (3,)], 4) == [True, False, False, True]
        assert used_classes([], 2) == [False, False]


class TestEnormousInput:
    BIG = "9" * 5000

    def test_numbers(self):
        with pytest.raises(InputError, match="not among the model's 7"):
            match([self.BIG])
        with pytest.raises(InputError, match="not a class of the model"):
            match(["x"], mapping={"x": self.BIG})

    @pytest.mark.parametrize("text", ['{"a":' + "[" * 200_000, '{"a": ' + "9" * 5000 + "}", '{"a": "\\ud800"}'])
    def test_json(self, tmp_path, text):
        file = tmp_path / "map.json"
        file.write_text(text)
        with pytest.raises(InputError, match=r"map\.json") as info:
            read_mapping(file)
        assert len(str(info.value)) < 500

    def test_csv(self, tmp_path):
        file = tmp_path / "map.csv"
        file.write_text("x," + self.BIG)
        assert read_mapping(file) == {"x": self.BIG}
