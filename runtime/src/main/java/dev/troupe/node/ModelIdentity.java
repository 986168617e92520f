package dev.troupe.node;

import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.guardian.RegisteredModel;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.Fingerprint;
import dev.troupe.model.checkpoint.FingerprintStore;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/**
 * What makes a registered checkpoint the same model as another node's.
 *
 * @param card what the node says of it
 * @param check holds every row that is loaded against it
 */
record ModelIdentity(ModelCard card, RowCheck check) {
    /** Of a model that is compared with no other. */
    static ModelIdentity unchecked(String id) {
        return new ModelIdentity(ModelCard.unchecked(id), RowCheck.NONE);
    }

    /**
     * The remembered identity of a checkpoint, or a new one, for which all of it is read once.
     *
     * @param id under which it is registered
     * @param progress told how far the reading is, if it is needed
     * @throws IOException if the checkpoint cannot be read
     */
    static ModelIdentity of(String id, ModelLocation location, Checkpoint checkpoint, LoadProgress progress)
            throws IOException {
        Path folder = checkpoint.folder();
        if (folder == null) {
            return synthetic(id, location.text());
        }
        Fingerprint fingerprint = store(folder).of(checkpoint, progress);
        return new ModelIdentity(ModelCard.of(id, fingerprint), fingerprint.check(checkpoint.weights()));
    }

    /** Beside the model, or where that cannot be written to, in the user's cache. */
    private static FingerprintStore store(Path folder) {
        return new FingerprintStore(Files.isWritable(folder) ? null : Installation.userCache());
    }

    /** Synthetic weights follow from the name alone, so that its hash is theirs, and nothing has to be made to know it. */
    private static ModelIdentity synthetic(String id, String name) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            String value = HexFormat.of().formatHex(hash);
            return new ModelIdentity(new ModelCard(new RegisteredModel(id, value), Map.of()), RowCheck.NONE);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
