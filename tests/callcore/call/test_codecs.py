"""The codecs that a trunk lets pass."""

from callcore.call.codecs import keep, rearrange
from callcore.sdp import parse_sdp

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 9 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"m=video 0 RTP/AVP 96\r\n"
)


def test_a_codec_that_is_not_listed_is_not_heard():
    kept = keep(parse_sdp(OFFER), ("PCMU", "telephone-event"))
    assert kept.media[0].formats == ("0", "101")
    assert kept.media[1] == parse_sdp(OFFER).media[1]
    assert keep(kept, ("PCMU", "telephone-event")) is kept


def test_our_offer_goes_out_in_the_order_of_the_list():
    offer = parse_sdp(rearrange(OFFER, ("telephone-event", "pcmu", "PCMA")))
    assert offer.media[0].formats == ("101", "0", "8")


def test_an_offer_of_which_nothing_would_be_left_goes_as_it_is():
    assert rearrange(OFFER, ("G729",)) == OFFER
    assert rearrange(b"rubbish", ("PCMA",)) == b"rubbish"
