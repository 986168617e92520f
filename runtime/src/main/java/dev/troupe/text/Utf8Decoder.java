package dev.troupe.text;

/**
 * UTF-8 in pieces of any size to text: keeps the bytes of an unfinished character. Each maximal part of a character that
 * cannot be finished becomes one U+FFFD (the Unicode Standard, chapter 3, "U+FFFD Substitution of Maximal Subparts"), as
 * in the tokenizers library; the JDK's decoder counts differently where surrogates are written out.
 */
final class Utf8Decoder {
    private static final char REPLACEMENT = '\ufffd';

    /** Value of the unfinished character so far, and how many bytes it still needs. */
    private int codePoint;

    private int missing;
    /** What the next byte may be, inclusive. */
    private int least;

    private int most;

    /** Takes more bytes and gives the characters that they finish. */
    String append(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length);
        for (byte signed : bytes) {
            int b = signed & 0xff;
            if (missing > 0 && (b < least || b > most)) {
                text.append(REPLACEMENT);
                missing = 0;
            }
            if (missing == 0) {
                start(b, text);
            } else {
                codePoint = (codePoint << 6) | (b & 0x3f);
                least = 0x80;
                most = 0xbf;
                if (--missing == 0) {
                    text.appendCodePoint(codePoint);
                }
            }
        }
        return text.toString();
    }

    /** Table 3-7 of the standard, first bytes. */
    private void start(int b, StringBuilder text) {
        least = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
        most = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
        if (b < 0x80) {
            text.append((char) b);
        } else if (b >= 0xc2 && b <= 0xdf) {
            expect(1, b & 0x1f);
        } else if (b >= 0xe0 && b <= 0xef) {
            expect(2, b & 0x0f);
        } else if (b >= 0xf0 && b <= 0xf4) {
            expect(3, b & 0x07);
        } else {
            text.append(REPLACEMENT);
        }
    }

    private void expect(int bytes, int bits) {
        missing = bytes;
        codePoint = bits;
    }

    /** Ends the text: an unfinished character becomes U+FFFD. */
    String finish() {
        boolean unfinished = missing > 0;
        missing = 0;
        return unfinished ? String.valueOf(REPLACEMENT) : "";
    }
}
