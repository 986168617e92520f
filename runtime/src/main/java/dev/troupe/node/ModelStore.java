package dev.troupe.node;

import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.guardian.WeightCache;
import dev.troupe.config.KvConfig;
import dev.troupe.config.NodeConfig;
import dev.troupe.kernel.Devices;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.cuda.driver.DeviceMemoryException;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.decoder.DecoderShard;
import dev.troupe.model.decoder.KvSettings;
import dev.troupe.model.decoder.ShardMemory;
import dev.troupe.model.decoder.ShardSlice;
import dev.troupe.model.decoder.ShardWeights;
import dev.troupe.model.decoder.WeightLoader;
import dev.troupe.plan.Footprint;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.serving.StepLimits;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardLoader;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.gguf.GgufTokenizer;
import dev.troupe.text.template.ChatTemplate;
import dev.troupe.text.template.ChatTemplates;
import dev.troupe.text.template.SpecialTexts;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The checkpoints that a process has registered, and the packed weights it keeps of them. Safe for use by many threads. */
public final class ModelStore implements ShardLoader, AutoCloseable {
    private final Map<String, Checkpoint> checkpoints = new LinkedHashMap<>();
    private final Map<String, ModelIdentity> identities = new ConcurrentHashMap<>();
    private final Map<String, Optional<Tokenizer>> tokenizers = new HashMap<>();
    private final Map<String, TokenTable> tables = new HashMap<>();
    private final WeightCache<ShardWeights> cache;
    private final Devices devices;
    private final UnaryOperator<Kernels> observer;
    private final StepLimits limits;
    private final LoadProgress progress;

    private ModelStore(NodeConfig config, Devices devices, UnaryOperator<Kernels> observer, LoadProgress progress) {
        this.devices = devices;
        this.observer = observer;
        this.cache = new WeightCache<>(config.device().weightCacheBytes(), ShardWeights::share, ShardWeights::close);
        this.limits = config.scheduler().limits();
        this.progress = progress;
    }

    /**
     * Opens all models of {@code config}; their weights are read when a rank needs them.
     *
     * @param devices where ranks run; closed with the store
     * @throws IOException if one of them is missing or malformed
     */
    public static ModelStore open(NodeConfig config, Devices devices, LoadProgress progress) throws IOException {
        return open(config, devices, UnaryOperator.identity(), progress);
    }

    /**
     * The same.
     *
     * @param observer gets the kernels of every rank and gives those that the rank takes instead; warm-up is not observed
     */
    public static ModelStore open(
            NodeConfig config, Devices devices, UnaryOperator<Kernels> observer, LoadProgress progress)
            throws IOException {
        ModelStore store = new ModelStore(config, devices, observer, progress);
        try {
            for (Map.Entry<String, String> model : config.models().entrySet()) {
                store.checkpoints.put(
                        model.getKey(), ModelLocation.of(model.getValue()).open());
            }
        } catch (IOException | RuntimeException e) {
            store.close();
            throw e;
        }
        return store;
    }

    /**
     * Finds out what the checkpoints are, as other nodes must have them, and from now on checks every row that is loaded
     * against it. Each is read once for that, and remembered until one of its files changes.
     *
     * @throws IOException if a checkpoint cannot be read
     */
    public void identify(NodeConfig config) throws IOException {
        for (Map.Entry<String, Checkpoint> entry : checkpoints.entrySet()) {
            String id = entry.getKey();
            ModelLocation location =
                    ModelLocation.of(Objects.requireNonNull(config.models().get(id)));
            identities.put(id, ModelIdentity.of(id, location, entry.getValue(), progress));
        }
    }

    /** What this node says of a registered model. */
    public ModelCard card(String model) {
        return identity(model).card();
    }

    private ModelIdentity identity(String model) {
        return identities.getOrDefault(model, ModelIdentity.unchecked(model));
    }

    /** The shape of a registered model. */
    public ModelConfig config(String model) {
        return checkpoint(model).config();
    }

    /**
     * The tokenizer of a registered model: its {@code tokenizer.json}, or the vocabulary of its GGUF file. Null if it has
     * neither. Read once.
     *
     * @throws IOException if it cannot be read
     */
    public @Nullable Tokenizer tokenizer(String model) throws IOException {
        synchronized (tokenizers) {
            Optional<Tokenizer> known = tokenizers.get(model);
            if (known == null) {
                known = Optional.ofNullable(readTokenizer(model));
                tokenizers.put(model, known);
            }
            return known.orElse(null);
        }
    }

    private @Nullable Tokenizer readTokenizer(String model) throws IOException {
        Checkpoint checkpoint = checkpoint(model);
        GgufMetadata metadata = checkpoint.metadata();
        if (metadata != null) {
            return GgufTokenizer.of(metadata).orElse(null);
        }
        Path directory = checkpoint.directory();
        Path file = directory == null ? null : directory.resolve("tokenizer.json");
        return file == null || !Files.exists(file) ? null : Tokenizer.load(file);
    }

    /**
     * The chat template of a registered model, if it has one.
     *
     * @param instead a file that takes its place, or empty
     * @throws IOException if it cannot be read, or is none
     */
    public Optional<ChatTemplate> chatTemplate(String model, String instead) throws IOException {
        Checkpoint checkpoint = checkpoint(model);
        GgufMetadata metadata = checkpoint.metadata();
        Path directory = checkpoint.directory();
        if (!instead.isEmpty()) {
            SpecialTexts special = metadata != null
                    ? ChatTemplates.special(metadata)
                    : directory != null ? ChatTemplates.special(directory) : SpecialTexts.NONE;
            return Optional.of(ChatTemplates.read(Path.of(instead), special));
        }
        if (metadata != null) {
            return ChatTemplates.of(metadata);
        }
        return directory == null ? Optional.empty() : ChatTemplates.of(directory);
    }

    /** Tokens that end a text of a registered model. */
    public Ints eosTokens(String model) {
        return Ints.of(
                config(model).eosTokens().stream().mapToInt(Integer::intValue).toArray());
    }

    /** KV blocks of every rank of {@code partition}: as many as fit the rank that keeps most for a token. */
    public int kvBlocks(String model, Partition partition, KvConfig kv) {
        ModelConfig config = config(model);
        long bytesPerToken = 0;
        for (Partition.Stage stage : partition.stages()) {
            for (Partition.Rank rank : stage.ranks()) {
                long heads = (long) stage.layers() * (rank.toGroup() - rank.fromGroup());
                bytesPerToken = Math.max(
                        bytesPerToken, 2 * heads * config.headDim() * kv.type().bytes());
            }
        }
        return kv.blocks(bytesPerToken);
    }

    /**
     * What ranks of a registered model keep: packed weights, {@code kvBlocks} KV blocks, and on a GPU their workspace. That of a CPU
     * is of the memory that is left to everything else.
     */
    public Footprint footprint(String model, KvConfig config, int kvBlocks) {
        Checkpoint checkpoint = checkpoint(model);
        KvSettings kv = new KvSettings(config.type(), config.blockSize(), kvBlocks);
        return (partition, stage, rank, device) -> {
            try {
                ShardMemory needed = needed(checkpoint, ShardSlice.of(checkpoint.config(), partition, stage, rank), kv);
                return device.isGpu() ? needed.bytes() : needed.weights() + needed.keysAndValues();
            } catch (WeightFormatException e) {
                throw new IllegalArgumentException(String.valueOf(e.getMessage()), e);
            }
        };
    }

    private ShardMemory needed(Checkpoint checkpoint, ShardSlice slice, KvSettings kv) throws WeightFormatException {
        return ShardMemory.of(checkpoint, slice, kv, limits.tokensPerStep(), limits.stepsInFlight());
    }

    @Override
    public ShardCompute load(ShardId id, ReplicaPlan plan) throws Exception {
        String slot = plan.slots().get(id.stage()).get(id.rank());
        KernelProvider device = devices.get(slot.substring(slot.lastIndexOf('/') + 1));
        String failure = device.failure();
        if (failure != null) {
            throw new IllegalStateException(failure);
        }
        Checkpoint checkpoint = checkpoint(plan.model());
        KernelWarmUp.start(device, checkpoint.matrixTypes(), plan.kvType());
        ShardSlice slice = ShardSlice.of(checkpoint.config(), plan.partition(), id.stage(), id.rank());
        WeightCache.Key key = new WeightCache.Key(plan.model(), plan.fingerprint(), device.device(), slice);
        KvSettings kv = new KvSettings(plan.kvType(), plan.kvBlockSize(), plan.kvBlocks());
        requireRoom(device, key, needed(checkpoint, slice, kv));
        // The kernels live longer than the weights: a device is given back with the last of them.
        Kernels own = observer.apply(device.create());
        try {
            ShardWeights weights = cache.get(key, () -> weights(checkpoint, slice, device, identity(plan.model())));
            try {
                return new DecoderShard(weights, own, kv);
            } catch (RuntimeException | OutOfMemoryError e) {
                weights.close();
                throw e;
            }
        } catch (Exception | OutOfMemoryError e) {
            own.close();
            throw e;
        }
    }

    /** Read by all processors: a rank that loads computes nothing yet, and its replica waits for it. */
    private WeightCache.Loaded<ShardWeights> weights(
            Checkpoint checkpoint, ShardSlice slice, KernelProvider device, ModelIdentity identity)
            throws WeightFormatException {
        int threads = Math.max(device.threads(), Runtime.getRuntime().availableProcessors());
        return new WeightCache.Loaded<>(
                WeightLoader.load(checkpoint, slice, device.memory(), threads, identity.check(), progress),
                WeightLoader.bytes(checkpoint, slice));
    }

    /** Weights that are kept for a later epoch make room for those that are needed now. */
    private void requireRoom(KernelProvider device, WeightCache.Key key, ShardMemory needed) {
        try {
            device.memory().requireRoom((cache.holds(key) ? needed.withoutWeights() : needed).byUse());
        } catch (DeviceMemoryException e) {
            cache.clear();
            try {
                device.memory().requireRoom(needed.byUse());
            } catch (DeviceMemoryException again) {
                throw new IllegalStateException(
                        "%s; lower troupe.kv.memory or troupe.kv.blocks, or split the model over more devices"
                                .formatted(again.getMessage()),
                        again);
            }
        }
    }

    @Override
    public @Nullable TokenTable tokens(ReplicaPlan plan) throws IOException {
        String model = plan.model();
        synchronized (tables) {
            TokenTable known = tables.get(model);
            Tokenizer tokenizer = known == null && !eosTokens(model).isEmpty() ? tokenizer(model) : null;
            if (tokenizer != null) {
                known = new TokenTable(config(model).vocabularySize(), tokenizer::bytes, eosTokens(model));
                tables.put(model, known);
            }
            return known;
        }
    }

    private Checkpoint checkpoint(String model) {
        Checkpoint checkpoint = checkpoints.get(model);
        if (checkpoint == null) {
            throw new IllegalArgumentException(
                    "model '%s' is not registered on this node; registered: %s".formatted(model, checkpoints.keySet()));
        }
        return checkpoint;
    }

    @Override
    public void close() {
        cache.close();
        checkpoints.values().forEach(Checkpoint::close);
        devices.close();
    }
}
