"""Who signed an envelope, and whether that signature counts.

A listed key has a period. Its signatures count if they were made within it. A signature alone
proves no time, so by default the period is compared with the present. A timestamp
(`kit.signing.timestamp`) proves that the signature existed at an earlier time. Then that time
decides, and a result outlives the period of its key.

The log entry of a keyless signature (`kit.signing.keyless`) does not serve as that proof. It covers
the statement but not the key's signature of it. A thief who gets a key after its period could sign
an old, logged statement today. So that entry counts only if the verifier names the identity. Then
the identity vouches for the statement, and the period of the key does not matter.
"""

from dataclasses import replace
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature

from kit.errors import SignatureError
from kit.names import show
from kit.result.layout import TIMESTAMP
from kit.signing.allowed_signers import TrustedKey
from kit.signing.envelope import PAYLOAD_TYPE, Envelope, malformed, pae
from kit.signing.keys import fingerprint, public_line
from kit.signing.period import stamp
from kit.signing.timestamp import Timestamp


def signer_of(
    envelope: Envelope,
    trusted: tuple[TrustedKey, ...],
    *,
    timestamp: Timestamp | None = None,
    now: datetime | None = None,
    alternative: str = "",
) -> TrustedKey:
    """Return the trusted key that signed the envelope.

    Every key is tried, because the key id in the file is not signed.

    Args:
        envelope: as `open_envelope` returns it.
        trusted: the known keys, in the order of their preference.
        timestamp: when the envelope existed, if that is proved.
        now: the present; None for this machine's clock.
        alternative: another way to verify this result, for the remedy of a refusal.

    Returns:
        The key, with a `remark` on a timestamp, and on lists that refuse the same key.

    Raises:
        SignatureError: no known key signed, or its signatures do not count. The message names the
            key with its role and period.
    """
    now = now or datetime.now(UTC)
    moment = timestamp.time if timestamp else now
    message = pae(PAYLOAD_TYPE, envelope.payload)
    signers = [key for key in trusted if _has_signed(key, envelope.signature, message)]
    for signer in signers:
        if _counts(signer, moment):
            # Anything beside payload and signature would be unsigned, so nothing may be there.
            if not envelope.exact or envelope.keyid != fingerprint(signer.public):
                raise malformed("the envelope contains something that its signer did not write")
            return replace(signer, remark=_remark(signer, signers, timestamp, now))
    if signers:
        raise _does_not_count(signers[0], timestamp, now, alternative)
    if envelope.keyid in {fingerprint(key.public) for key in trusted}:
        raise SignatureError(
            "the signature is wrong: the manifest was changed after it was signed",
            expected=f"a signature by the trusted key {envelope.keyid}",
            found="one that this key did not make for these bytes",
            remedy="get the result again, or sign your own run again: ./run.sh sign",
        )
    raise SignatureError(
        "the manifest is not signed by a key that you trust",
        expected=f"one of {len([key for key in trusted if _counts(key, moment)])} trusted keys",
        found=f"a signer who states the fingerprint {envelope.keyid[:80] or '(none)'}",
        remedy="ask the signer for runner.pub over a channel that you trust, compare the "
        f"fingerprint, then add: --trust runner.pub{alternative}; if it is your own result and "
        "you have replaced your key since: ./run.sh sign",
    )


def listing_of(key: TrustedKey, now: datetime) -> str:
    """Return a listed key's state in words: `allowed_signers:3 lists the key as author, ...`."""
    if key.refusal:
        state = key.refusal.removeprefix("it is ")
    elif key.period.is_over(now) and key.period.end:
        state = f"expired since {stamp(key.period.end)}"
    elif key.period.is_ahead(now) and key.period.start:
        state = f"not valid before {stamp(key.period.start)}"
    else:
        state = str(key.period) or "without a period"
    principal, _, line = key.source.rpartition(", ")
    return f"{show(line)} lists the key as {show(principal)}, {state}"


def _has_signed(key: TrustedKey, signature: bytes, message: bytes) -> bool:
    try:
        key.public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _counts(key: TrustedKey, moment: datetime) -> bool:
    return not key.refusal and key.period.holds(moment)


def _remark(
    signer: TrustedKey, signers: list[TrustedKey], timestamp: Timestamp | None, now: datetime
) -> str:
    others = [key for key in signers if key.role != signer.role and not _counts(key, now)]
    remarks = [listing_of(key, now) for key in others]
    if timestamp:
        over = "the period is over, but " if signer.period.is_over(now) else ""
        remarks.append(f"{over}{timestamp}")
    return "; ".join(dict.fromkeys(remarks))


def _does_not_count(
    signer: TrustedKey, timestamp: Timestamp | None, now: datetime, alternative: str
) -> SignatureError:
    moment, period = (timestamp.time if timestamp else now), signer.period
    named = f"{signer.role} ({show(signer.source)}), fingerprint {fingerprint(signer.public)}"
    trust = (
        "if you trust this key all the same, save the line "
        f"'{' '.join(public_line(signer.public).split()[:2])}' as signer.pub and add: "
        f"--trust signer.pub{alternative}"
    )
    clock = f"this machine's clock says {stamp(now)}"
    if signer.refusal:
        return SignatureError(
            f"the key that signed does not count: {signer.refusal}",
            expected="a key that is listed for results and not revoked",
            found=named,
            remedy="ask the signer for the result, signed with the current key",
        )
    if period.is_over(moment):
        proof = f"{timestamp}" if timestamp else f"no {TIMESTAMP}; {clock}"
        return SignatureError(
            "the key that signed has expired, and nothing proves that it signed before",
            expected=f"a signature that is proved to be from the key's period, {period}",
            found=f"{named}; {proof}",
            remedy="the result may well be honest; ask the signer for it, signed with the current "
            f"key; or, {trust}",
        )
    if timestamp:
        return SignatureError(
            "the signature is older than the period of its key",
            expected=f"a signature from the key's period, {period}",
            found=f"{named}; {timestamp}",
            remedy="ask the signer to correct the period, or to sign again",
        )
    return SignatureError(
        "the key that signed is not valid yet",
        expected=f"a present time in the key's period, {period}",
        found=f"{named}; {clock}",
        remedy=f"set the clock right if it is wrong (date -u); {trust}",
    )
