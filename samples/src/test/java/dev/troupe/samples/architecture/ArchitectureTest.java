package dev.troupe.samples.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The production code of all modules keeps the rules. Plain test methods: {@code @ArchTest} fields do not run here. */
class ArchitectureTest {
    private static final ArchitectureRules RULES = new ArchitectureRules("dev.troupe");
    private static JavaClasses classes;

    @BeforeAll
    static void readAllModules() {
        classes = new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("dev.troupe");
    }

    @Test
    void everyModuleIsLookedAt() {
        assertThat(Stream.of("tensor", "stage", "cli", "samples").map(name -> "dev.troupe." + name))
                .allSatisfy(name -> assertThat(classes.containPackage(name)).isTrue());
        assertThat(classes.stream().filter(c -> c.getPackageName().contains("violations")))
                .isEmpty();
    }

    @Test
    void layersNeverLookBack() {
        RULES.layers().check(classes);
    }

    @Test
    void packagesHaveNoCycles() {
        RULES.noPackageCycles().check(classes);
    }

    @Test
    void kernelsSpeakFloats() {
        RULES.kernelsSpeakFloats().check(classes);
    }

    @Test
    void actorsSpeakTokens() {
        RULES.actorsSpeakTokens().check(classes);
    }

    @Test
    void actorsNeverWait() {
        RULES.actorsNeverWait().check(classes);
    }

    @Test
    void noClassIsCalledActor() {
        RULES.noClassIsCalledActor().check(classes);
    }

    @Test
    void noPackageIsForLeftovers() {
        RULES.noPackageForLeftovers().check(classes);
    }

    @Test
    void commandsAreRecordsOrEnums() {
        RULES.commandsAreRecordsOrEnums().check(classes);
    }

    @Test
    void everyPackageIsNullMarked() {
        RULES.everyPackageIsNullMarked().check(classes);
    }
}
