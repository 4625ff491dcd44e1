plugins {
    // Not a JVM's module, as the others are: ExecuTorch comes as an AAR alone.
    alias(libs.plugins.android.library)
}

android {
    namespace = "dev.edgetune.executorch"
    compileSdk = 36
    defaultConfig.minSdk = 26
}

kotlin {
    explicitApi()
}

dependencies {
    api(project(":core"))
    implementation(libs.executorch.android)
    testImplementation(libs.junit)
}
