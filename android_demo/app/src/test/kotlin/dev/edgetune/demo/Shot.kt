package dev.edgetune.demo

import android.graphics.Bitmap
import java.awt.image.BufferedImage
import java.awt.image.DataBuffer
import java.awt.image.IndexColorModel
import java.io.File
import javax.imageio.IIOImage
import javax.imageio.ImageIO
import javax.imageio.ImageWriteParam
import javax.imageio.stream.FileImageOutputStream

/** So many colours a picture has at the most: as many as a screen needs, and no more to store. */
private const val COLOURS = 64

/**
 * Writes [picture] as a small PNG, [width] pixels wide, of few colours. Returns how many: a picture of one
 * shows nothing.
 */
fun write(picture: Bitmap, width: Int, file: File): Int {
    val height = picture.height * width / picture.width
    val scaled = Bitmap.createScaledBitmap(picture, width, height, true)
    val pixels = IntArray(width * height).also { scaled.getPixels(it, 0, width, 0, 0, width, height) }
    val palette = palette(pixels)
    val nearest = HashMap<Int, Int>()
    val model = IndexColorModel(8, palette.size, palette, 0, false, -1, DataBuffer.TYPE_BYTE)
    val image = BufferedImage(width, height, BufferedImage.TYPE_BYTE_INDEXED, model)
    val indices = IntArray(pixels.size) { at ->
        val pixel = pixels[at]
        nearest.getOrPut(pixel) { palette.indices.minByOrNull { distance(palette[it], pixel) }!! }
    }
    image.raster.setPixels(0, 0, width, height, indices)
    write(image, file)
    return palette.size
}

/** The colours that most is drawn in, as they are, and of all others that are nearly alike one. */
private fun palette(pixels: IntArray): IntArray {
    val counts = pixels.toList().groupingBy { it }.eachCount().entries.sortedByDescending { it.value }
    val alike = counts.groupBy { it.key and 0xF0F0F0 }.values.sortedByDescending { group -> group.sumOf { it.value } }
    return (counts.take(COLOURS / 4) + alike.map { it.first() }).map { it.key }.distinct().take(COLOURS).toIntArray()
}

private fun write(image: BufferedImage, file: File) {
    file.parentFile!!.mkdirs()
    val writer = ImageIO.getImageWritersByFormatName("png").next()
    val smallest = writer.defaultWriteParam.apply {
        compressionMode = ImageWriteParam.MODE_EXPLICIT
        compressionQuality = 0f
    }
    file.delete()
    FileImageOutputStream(file).use { out ->
        writer.output = out
        writer.write(null, IIOImage(image, null, null), smallest)
    }
    writer.dispose()
}

private fun distance(one: Int, other: Int): Int = (0..16 step 8).sumOf { shift ->
    val by = (one shr shift and 0xFF) - (other shr shift and 0xFF)
    by * by
}
