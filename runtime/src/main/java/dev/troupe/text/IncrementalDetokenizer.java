package dev.troupe.text;

/**
 * Tokens to text, one at a time: a fold over the tokens of one text. What it has given out it never takes back, and it
 * never gives out a part of a character; the bytes of an unfinished one are kept until the next token. Bytes that are
 * no UTF-8 become U+FFFD. All pieces and {@link #finish} together are what {@link Tokenizer#decode} gives at once.
 */
public final class IncrementalDetokenizer {
    private final Vocabulary vocabulary;
    private final TokenBytes bytes;
    private final boolean skipSpecial;
    private final Utf8Decoder utf8 = new Utf8Decoder();
    private boolean first = true;
    private int toStrip;

    IncrementalDetokenizer(Vocabulary vocabulary, TokenBytes bytes, boolean skipSpecial) {
        this.vocabulary = vocabulary;
        this.bytes = bytes;
        this.skipSpecial = skipSpecial;
        this.toStrip = bytes.stripAtStart();
    }

    /** Says that the text has begun before: nothing is stripped from its start. */
    void goOn() {
        first = false;
        toStrip = 0;
    }

    /**
     * Takes the next token.
     *
     * @param token an id; one that the tokenizer does not have stands for no text
     * @return the text that it completes, often empty
     */
    public String append(int token) {
        String written = vocabulary.token(token);
        if (written == null || (skipSpecial && vocabulary.isSpecial(token))) {
            return "";
        }
        byte[] own = first ? bytes.ofFirst(written) : bytes.of(written);
        first = false;
        return strip(utf8.append(own));
    }

    /** Ends the text: a character that is still unfinished becomes U+FFFD. */
    public String finish() {
        return strip(utf8.finish());
    }

    private String strip(String text) {
        int from = 0;
        while (from < text.length() && toStrip > 0) {
            if (text.startsWith(bytes.stripped(), from)) {
                from++;
                toStrip--;
            } else {
                toStrip = 0;
            }
        }
        return text.substring(from);
    }
}
