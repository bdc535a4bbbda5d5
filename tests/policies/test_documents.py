"""How policy documents are read: for certain, or not at all."""

import json
from typing import Any

import pytest
from pulumi_policy.proxy import unknown_checking_proxy

from policies.documents import DocumentError, parse
from tests.policies.table import document

pytestmark = pytest.mark.rows("K5")

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x"}


def test_one_statement_or_several_one_action_or_several_read_the_same() -> None:
    several = parse(document({**STATEMENT, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::x"]}))
    assert parse(json.dumps({"Version": "2012-10-17", "Statement": STATEMENT})) == several
    assert parse(unknown_checking_proxy({"Version": "2012-10-17", "Statement": [STATEMENT]})) == several
    assert several[0].actions == ("s3:GetObject",)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "it is missing; write it out"),
        ("", "it is missing"),
        ("{", "it is no JSON"),
        ("[]", "it is no object"),
        (json.dumps({"Statement": [STATEMENT]}), 'its Version is not "2012-10-17"'),
        (json.dumps({"Version": "2008-10-17", "Statement": [STATEMENT]}), "its Version"),
        (document(), "it has no statement"),
        (document(STATEMENT, Else=1), "the document has Else, which no rule knows"),
        (document({**STATEMENT, "Efect": "Deny"}), "statement 1 has Efect, which no rule knows"),
        (document({**STATEMENT, "Effect": "allow"}), "neither the Effect Allow nor Deny"),
        (document({**STATEMENT, "Sid": "One", "Action": []}), "statement One has a Action that is neither"),
        (document({**STATEMENT, "Action": [1]}), "neither a string nor a list of strings"),
        (document({**STATEMENT, "NotAction": "s3:PutObject"}), "has both Action and NotAction"),
        (document({"Effect": "Allow", "Resource": "x"}), "has no Action"),
        (document({**STATEMENT, "Principal": {}}), "has a Principal that names nobody"),
        (document({**STATEMENT, "Principal": {"AWS": []}}), "has a AWS that is neither"),
        (document({**STATEMENT, "Condition": ["x"]}), "has a Condition that is no object"),
        (document({**STATEMENT, "Condition": {"StringEquals": "x"}}), "has a Condition StringEquals that is no object"),
        ('{"Version": "2012-10-17", "Statement": [], "Statement": [1]}', "Statement stands in it twice"),
        (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "x"}]}',
            "Effect stands in it twice",
        ),
    ],
)
def test_a_document_that_two_readers_could_read_differently_is_refused(source: object, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        parse(source)


@pytest.mark.parametrize(
    ("action", "covered"),
    [
        ({"Action": "kms:*"}, True),
        ({"Action": "*"}, True),
        ({"Action": "KMS:DECRYPT"}, True),
        ({"Action": "kms:D?crypt"}, True),
        ({"Action": ["kms:Encrypt", "kms:De*"]}, True),
        ({"NotAction": "kms:Encrypt"}, True),
        ({"Action": "kms:Encrypt"}, False),
        ({"Action": "kms:[D]ecrypt"}, False),
        ({"NotAction": "kms:D*"}, False),
    ],
)
def test_an_action_is_covered_however_it_is_spelled(action: dict[str, Any], covered: bool) -> None:
    (statement,) = parse(document({"Effect": "Allow", "Resource": "x", **action}))
    assert statement.covers("kms:Decrypt") is covered
