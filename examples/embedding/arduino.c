/* A thermometer for an Arduino Uno: a network turns two readings of the converter, thermistor and supply, into degrees.
 *
 * thermometer.h is written by arduino.py, in 16-bit integers, or with FLOATING in single precision. On other processors
 * two variables stand in for the converter's registers, so that the size can be compared.
 */
#include <stdint.h>

#include "thermometer.h"

#ifdef __AVR__
#include <avr/io.h>
static int read_converter(uint8_t channel)
{
    ADMUX = (uint8_t)((1 << REFS0) | channel);
    ADCSRA = (1 << ADEN) | (1 << ADSC) | (1 << ADPS2) | (1 << ADPS1) | (1 << ADPS0);
    while (ADCSRA & (1 << ADSC)) {}
    return (int)ADC;
}
static void show(int16_t tenths) { OCR1A = (uint16_t)tenths; }
#else
static volatile int converter[2];
static volatile int16_t display;
static int read_converter(int channel) { return converter[channel]; }
static void show(int16_t tenths) { display = tenths; }
#endif

int main(void)
{
    for (;;) {
#ifdef FLOATING
        float x[2] = {(float)read_converter(0), (float)read_converter(1)}, y[1];
        thermometer_predict(x, y);
        show((int16_t)(y[0] * 10.0f));
#else
        /* Readings from 0 to 1023 have 5 bits below 1, as thermometer_x_bits says: 1023 * 2**5 just fits. */
        int16_t x[2] = {(int16_t)(read_converter(0) << 5), (int16_t)(read_converter(1) << 5)}, y[1];
        thermometer_predict(x, y);
        show((int16_t)(((int32_t)y[0] * 10) >> thermometer_y_bits[0]));
#endif
    }
}
