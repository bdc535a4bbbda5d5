"""OpenSSH's own encodings, as far as the gate looks into them: public keys and armoured signatures.

Nothing here verifies anything. It finds which key a signature names, so that the right line can be asked about and a
refusal can say why. Source: PROTOCOL.sshsig of OpenSSH, RFC 4251 section 5, RFC 8709.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

ED25519 = "ssh-ed25519"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
KEY_TYPES = (ED25519, SK_ED25519)
HASH = "sha512"  # what ssh-keygen signs with; the other allowed one, sha256, nobody has to ask for

# The padding may stand on a line of its own; the decoder holds the base64 to its one right spelling.
_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]+\n)+)-----END SSH SIGNATURE-----\n?",
)
_MAGIC = b"SSHSIG"
_USER_PRESENT = 1


class MalformedError(ValueError):
    """Bytes that are not what they claim to be."""


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """A key by its decoded bytes: the same key in another spelling is the same key."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a signature says of itself; true only once ssh-keygen has verified it."""

    key: PublicKey
    namespace: str


class _Reader:
    """RFC 4251's data types, read one after the other."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    def take(self, length: int) -> bytes:
        taken = self._data[self._at : self._at + length]
        if len(taken) < length:
            raise MalformedError(f"{self._what} ends too early")
        self._at += length
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError as error:
            raise MalformedError(f"{self._what} holds a name that is not ASCII") from error

    def end(self) -> None:
        if self._at != len(self._data):
            raise MalformedError(f"{self._what} has {len(self._data) - self._at} bytes too many")


def from_base64(text: str) -> bytes:
    """Raises: MalformedError for anything but the one right spelling."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"the base64 can't be decoded: {error}") from error
    if base64.b64encode(decoded).decode() != text:
        raise MalformedError("the base64 is not in its canonical form")
    return decoded


def read_key(blob: bytes) -> PublicKey:
    """Raises: MalformedError, also for key types that the gate doesn't accept."""
    reader = _Reader(blob, "the key")
    kind = reader.text()
    if kind not in KEY_TYPES:
        raise MalformedError(f"the key is of type {kind!r}; accepted are {' and '.join(KEY_TYPES)}")
    if len(reader.string()) != 32:
        raise MalformedError("the key does not have the 32 bytes of an Ed25519 key")
    if kind == SK_ED25519 and not reader.text().startswith("ssh:"):
        raise MalformedError("the security key is not for SSH: its application does not begin with 'ssh:'")
    reader.end()
    return PublicKey(type=kind, blob=blob)


def read_signature(armoured: bytes) -> Claim:
    """Raises: MalformedError for anything but exactly one armoured signature by an accepted kind of key."""
    match = _ARMOUR.fullmatch(armoured)
    if match is None:
        raise MalformedError("it is not one armoured SSH signature (BEGIN line, base64, END line) and nothing else")
    reader = _Reader(from_base64(match[1].replace(b"\n", b"").decode()), "the signature")
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise MalformedError("it does not begin with SSHSIG")
    if (version := reader.number()) != 1:
        raise MalformedError(f"it is of version {version}, known is 1")
    key = read_key(reader.string())
    namespace = reader.text()
    if reader.string():
        raise MalformedError("its reserved field is not empty")
    if (algorithm := reader.text()) != HASH:
        raise MalformedError(f"it hashes with {algorithm!r}, accepted is {HASH}; sign without `-O hashalg`")
    _check_proof(key, reader.string())
    reader.end()
    return Claim(key=key, namespace=namespace)


def _check_proof(key: PublicKey, proof: bytes) -> None:
    reader = _Reader(proof, "the signature")
    if (kind := reader.text()) != key.type:
        raise MalformedError(f"its key is of type {key.type}, but it was made by one of {kind!r}")
    if len(reader.string()) != 64:
        raise MalformedError("it does not have the 64 bytes of an Ed25519 signature")
    if key.type == SK_ED25519:
        # ssh-keygen verifies the flags' authenticity but asks for none of them
        if not reader.take(1)[0] & _USER_PRESENT:
            raise MalformedError("the security key was not touched (made with no-touch-required)")
        reader.number()  # the device's counter
    reader.end()
