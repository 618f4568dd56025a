"""The config: defaults, limits, what a person may type, and that what is kept can be read again."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from unrolled import config
from unrolled.config import LanguageModelConfig, TagConfig, keeping, override
from unrolled.errors import DataError, OptionError

DEFAULT = LanguageModelConfig()
FIELDS = LanguageModelConfig.fields()


def refusal(**fields: object) -> str:
    with pytest.raises(OptionError) as error:
        override(DEFAULT, fields)
    return str(error.value)


@pytest.mark.parametrize("kind", config.CONFIGS.values(), ids=config.CONFIGS)
def test_every_field_says_what_it_means_and_stands_in_a_section(kind: type[config.Config]):
    fields = kind.fields()
    assert all(field.help for field in fields.values())
    assert sorted(fields) == sorted(field.name for field in structs.fields(kind))
    assert [f.name for _, listed in kind.sections() for f in listed] == list(fields)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("hidden", "512", 512),
        ("lr", "2e-3", 2e-3),
        ("learning-rate", "1", 1.0),
        ("carry", "off", False),
        ("tied", "True", True),
        ("budget", "10m", 600.0),
        ("budget", "1h30m", 5400.0),
        ("checkpoint_every", "90", 90.0),
        ("length", "whole", 0),
        ("cell", "lstm", "lstm"),
        ("sources", "a, b.txt", ("a, b.txt",)),
    ],
)
def test_text_is_read_as_the_fields_type(key: str, text: str, value: object):
    name = keeping.ALIASES.get(key, key.replace("-", "_"))
    assert getattr(override(DEFAULT, {key: text}), name) == value


def test_python_values_are_taken_as_they_are():
    changed = override(DEFAULT, dict(hidden=8, epochs=3, sources=["a.txt"], carry=False))
    assert config.changes(changed) == dict(hidden=8, epochs=3.0, sources=("a.txt",), carry=False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hiden": "3"}, "config: the field must be one that exists; got hiden. Did you mean hidden?"),
        ({"hidden": "0"}, "config: hidden must be a whole number, at least 1; got 0. Leave it out for 256."),
        ({"hidden": "many"}, "be a whole number, at least 1; got 'many'"),
        ({"hidden": True}, "hidden must be a whole number"),
        ({"cell": "grru"}, "be one of rnn, lstm, gru, hornn; got 'grru'. Did you mean gru?"),
        (
            {"order": 3},
            "order must be left out with gru, which reads one past state; got 3. Or --cell hornn.",
        ),
        ({"cell": "hornn", "order": 0}, "order must be a whole number, at least 1; got 0"),
        ({"cell": "hornn", "remember": 9}, "remember must be 0 with hornn, which has no gates"),
        ({"tokens": "letters"}, "Leave it out for char."),
        ({"budget": "soon"}, "be a duration such as 90s, 10m or 2h"),
        ({"carry": "perhaps"}, "be on or off; got 'perhaps'. Leave it out for on."),
        ({"learning_rate": "nan"}, "be a number, above 0; got nan"),
        ({"valid": "1"}, "at least 0 and below 1"),
        ({"sources": ("\udcff.txt",)}, "sources must be texts"),
        ({"valid": 0}, "--valid-sources FILE"),
        ({"test": 0}, "--test-sources FILE"),
        ({"valid": 0.5, "test": 0.5}, "leave data to train on"),
        ({"tied": True, "embedding": 64}, "as many as hidden units, 256"),
        ({"dropout_layers": 0.2}, "0 with one layer"),
        ({"momentum": 0.9}, "momentum must be 0 with adam"),
        ({"tokens": "byte", "vocabulary": 100}, "0 for bytes"),
        ({"tokens": "bpe", "vocabulary": 100}, "above 256 for bpe"),
    ],
)
def test_mistakes_are_said_with_the_rule_and_the_fix(fields: dict[str, object], message: str):
    assert message in refusal(**fields)


def test_shares_do_not_matter_where_texts_are_named():
    changed = override(DEFAULT, dict(valid=0, test=0, valid_sources="v.txt", test_sources="t.txt"))
    assert (changed.valid, changed.test) == (0, 0)


def any_value(field: config.Field) -> st.SearchStrategy[Any]:
    if field.choices:
        return st.sampled_from(field.choices)
    kinds = {
        bool: st.booleans(),
        int: st.integers(-2, 10**12),
        float: st.floats(-0.5, 1e6),
        str: st.text(),
        tuple: st.lists(st.text()).map(tuple),
    }
    return kinds[field.kind]


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({}, optional={name: any_value(field) for name, field in FIELDS.items()}))
def test_what_is_kept_is_read_again_exactly(fields: dict[str, Any]):
    try:
        kept = LanguageModelConfig(**fields)
    except OptionError:
        good = {name: value for name, value in fields.items() if name in ("sources", "encoding", "seed")}
        kept = LanguageModelConfig(**{**good, "seed": abs(good.get("seed", 0))})
    assert config.loads(config.dumps(kept)) == kept


def test_kept_text_is_complete_and_says_what_each_field_means():
    text = config.dumps(DEFAULT)
    assert set(tomllib.loads(text)) == set(FIELDS)
    assert "hidden = 256                # hidden units of a layer\n" in text


def test_file_gives_what_it_names_and_defaults_for_the_rest(tmp_path):
    (tmp_path / "small.toml").write_text('hidden = 64\nbudget = "10m"\nsources = ["a.txt"]\n')
    changed = config.changes(config.load(tmp_path / "small.toml"))
    assert changed == dict(hidden=64, budget=600.0, sources=("a.txt",))


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("cell = gru\n")
    with pytest.raises(DataError, match=r"broken\.toml must be TOML; got .*line 1"):
        config.load(tmp_path / "broken.toml")
    (tmp_path / "typo.toml").write_text("hiden = 64\n")
    with pytest.raises(OptionError, match=r"typo\.toml: the field .* Did you mean hidden"):
        config.load(tmp_path / "typo.toml")


def test_earlier_schemas_are_brought_forward_and_later_ones_refused(monkeypatch):
    monkeypatch.setattr(keeping, "SCHEMA", 3)
    steps = {
        1: lambda fields: {k: v for k, v in fields.items() if k != "size"} | {"units": fields["size"]},
        2: lambda fields: {k: v for k, v in fields.items() if k != "units"} | {"hidden": fields["units"]},
    }
    monkeypatch.setattr(keeping, "MIGRATIONS", steps)
    assert keeping.migrated({"schema": 1, "size": 7}, "old.toml") == {"schema": 3, "hidden": 7}
    with pytest.raises(OptionError, match="pip install --upgrade unrolled"):
        keeping.migrated({"schema": 4}, "new.toml")


def test_every_schema_before_the_present_one_has_its_migration():
    assert sorted(keeping.MIGRATIONS) == list(range(1, keeping.SCHEMA))


@pytest.mark.parametrize(("given", "meant"), [(True, "on"), (False, "off"), ("guess", "guess")])
def test_a_switch_that_may_be_guessed_takes_pythons_own_values(given: object, meant: str):
    assert override(TagConfig(), {"bidirectional": given}).bidirectional == meant
