"""Numbers and proofs taken out of SIP messages, byte for byte of the same length."""

from hotline.masking import without_numbers, without_proofs

MESSAGE = (
    b"INVITE sip:13800138000@10.0.0.1 SIP/2.0\r\n"
    b'From: "Wang 13912345678" <sip:+8613912345678@h>;tag=20250101123456\r\n'
    b"To: <tel:055165551234>\r\n"
    b"Call-ID: 1234567890123@10.0.0.1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b'Authorization: Digest username="8001", response="0123456789abcdef", nc=00000001\r\n'
    b"Content-Length: 60\r\n\r\n"
    b"v=0\r\no=13912345678 1234567890 1234567890 IN IP4 10.0.0.1\r\n"
)


def test_numbers_are_masked_and_what_finds_the_call_is_not():
    shown = without_numbers(MESSAGE)
    assert len(shown) == len(MESSAGE)
    for number in (b"13800138000", b"13912345678", b"055165551234", b"0123456789abcdef"):
        assert number not in shown
    assert b"sip:138******00@10.0.0.1" in shown
    assert b'"Wang 139******78" <sip:+861********78@h>;tag=20250101123456' in shown
    assert b"<tel:055*******34>" in shown
    assert b"Call-ID: 1234567890123@10.0.0.1" in shown
    assert b"o=139******78 1234567890 1234567890" in shown


def test_proofs_are_nobody_s_to_see():
    shown = without_proofs(MESSAGE)
    assert b'response="0000000000000000"' in shown
    assert b"sip:13800138000@" in shown
    assert len(shown) == len(MESSAGE)
