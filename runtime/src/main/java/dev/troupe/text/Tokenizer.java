package dev.troupe.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * Text to token ids and back, as a model's {@code tokenizer.json} defines it (the format of Hugging Face's tokenizers
 * library, which encodes). Truncation and padding that the file asks for are ignored: a server must not obey them. Needs
 * no network and no GPU. Safe for use by many threads.
 */
public final class Tokenizer {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final char REPLACEMENT = '\ufffd';

    private final long handle;
    private final Vocabulary vocabulary;
    private final TokenBytes bytes;

    private Tokenizer(long handle, Vocabulary vocabulary, TokenBytes bytes) {
        this.handle = handle;
        this.vocabulary = vocabulary;
        this.bytes = bytes;
        CLEANER.register(this, () -> NativeTokenizers.library().deleteTokenizer(handle));
    }

    /**
     * Reads a {@code tokenizer.json}.
     *
     * @throws TokenizerFormatException if the file is no tokenizer, or one of a kind that is not supported
     * @throws IOException if it cannot be read
     */
    public static Tokenizer load(Path file) throws IOException {
        try {
            String json = Files.readString(file);
            return make(file.toString(), json, new ObjectMapper().readTree(json));
        } catch (JsonProcessingException e) {
            throw new TokenizerFormatException(file.toString(), "no JSON: " + e.getOriginalMessage(), e);
        } catch (CharacterCodingException e) {
            throw new TokenizerFormatException(file.toString(), "no UTF-8", e);
        }
    }

    /**
     * Makes the tokenizer that a {@code tokenizer.json} in memory describes.
     *
     * @param source where it comes from, for messages
     * @throws TokenizerFormatException if it is no tokenizer, or one of a kind that is not supported
     */
    public static Tokenizer of(String source, JsonNode file) throws TokenizerFormatException {
        return make(source, file.toString(), file);
    }

    private static Tokenizer make(String source, String json, JsonNode file) throws TokenizerFormatException {
        try {
            Vocabulary vocabulary = new Vocabulary(file);
            TokenBytes bytes = TokenBytes.of(file.path("decoder"));
            return new Tokenizer(create(json), vocabulary, bytes);
        } catch (IllegalArgumentException e) {
            throw new TokenizerFormatException(source, String.valueOf(e.getMessage()), e);
        }
    }

    private static long create(String json) {
        TokenizersLibrary library = NativeTokenizers.library();
        try {
            long handle = library.createTokenizerFromString(json);
            library.disableTruncation(handle);
            library.disablePadding(handle);
            return handle;
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("the tokenizers library refuses it: " + e.getMessage(), e);
        }
    }

    /** The ids of a text, with the special tokens that the file puts around one (often a beginning-of-sequence). */
    public Ints encode(String text) {
        return encode(text, true);
    }

    /** The ids of a text alone. Special tokens that are written out in the text are recognised all the same. */
    public Ints encodeWithoutSpecial(String text) {
        return encode(text, false);
    }

    private Ints encode(String text, boolean addSpecial) {
        TokenizersLibrary library = NativeTokenizers.library();
        try {
            long encoding = library.encode(handle, wellFormed(text), addSpecial);
            try {
                return ints(library.getTokenIds(encoding));
            } finally {
                library.deleteEncoding(encoding);
            }
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Half a surrogate pair is no character: it becomes U+FFFD, as in every UTF-8 encoder. */
    private static String wellFormed(String text) {
        StringBuilder fixed = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            fixed = fixed == null ? new StringBuilder(text) : fixed;
            fixed.setCharAt(i, REPLACEMENT);
        }
        return fixed == null ? text : fixed.toString();
    }

    /** The text of these ids, without special tokens; ids that the tokenizer does not have stand for no text. */
    public String decode(Ints ids) {
        IncrementalDetokenizer detokenizer = detokenizer();
        StringBuilder text = new StringBuilder();
        ids.stream().forEach(id -> text.append(detokenizer.append(id)));
        return text.append(detokenizer.finish()).toString();
    }

    /** Decodes one text token by token, leaving special tokens out. */
    public IncrementalDetokenizer detokenizer() {
        return new IncrementalDetokenizer(vocabulary, bytes, true);
    }

    /**
     * Decodes what follows {@code prompt} token by token, leaving special tokens out. It goes on in the middle of a text if
     * the last token of the prompt stands for text; else it begins one, for which the tokenizer may have put a space
     * before.
     */
    public IncrementalDetokenizer detokenizerAfter(Ints prompt) {
        IncrementalDetokenizer detokenizer = detokenizer();
        if (!prompt.isEmpty()) {
            int last = prompt.get(prompt.size() - 1);
            if (vocabulary.token(last) != null && !vocabulary.isSpecial(last)) {
                detokenizer.goOn();
            }
        }
        return detokenizer;
    }

    /** Decodes one text token by token, writing special tokens out. */
    public IncrementalDetokenizer detokenizerWithSpecial() {
        return new IncrementalDetokenizer(vocabulary, bytes, false);
    }

    /** One more than the largest id; the model's own vocabulary may be padded to more rows. */
    public int size() {
        return vocabulary.size();
    }

    /** The id of a token as the file writes it, for example {@code <|end|>}. */
    public OptionalInt id(String token) {
        return vocabulary.id(token);
    }

    /** Whether a token stands for no text: beginning and end of sequence, roles of a chat. */
    public boolean isSpecial(int id) {
        return vocabulary.isSpecial(id);
    }

    /** The bytes of UTF-8 that a token stands for in the middle of a text; none for a special or unknown one. */
    public byte[] bytes(int id) {
        String token = vocabulary.token(id);
        return token == null || vocabulary.isSpecial(id) ? new byte[0] : bytes.of(token);
    }

    /** What the library itself decodes, to compare with. */
    String decodeByLibrary(Ints ids, boolean skipSpecial) {
        try {
            long[] longs = Arrays.stream(ids.toArray()).asLongStream().toArray();
            return NativeTokenizers.library().decode(handle, longs, skipSpecial);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private static Ints ints(long[] ids) {
        return Ints.of(Arrays.stream(ids).mapToInt(Math::toIntExact).toArray());
    }
}
