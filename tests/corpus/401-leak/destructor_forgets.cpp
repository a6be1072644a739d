/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * The destructor of a class deletes one of its two arrays. */
#include "../corpus.h"
class Matrix {
  public:
    explicit Matrix(size_t n) : values(new double[n * n]), rows(new double *[n]) {
        for (size_t i = 0; i < n; i++) rows[i] = values + i * n;
    }
    Matrix(const Matrix &) = delete;
    NOINLINE ~Matrix() {
        delete[] rows;
        rows = nullptr;
#ifdef FIXED
        delete[] values;
#endif
        values = nullptr;
    }
    double &at(size_t row, size_t column) { return rows[row][column]; }

  private:
    double *values, **rows;
};

NOINLINE static double use(size_t n) {
    Matrix matrix(n);
    matrix.at(1, 2) = 4;
    seen(&matrix);
    return matrix.at(1, 2);
}

int main() {
    double total = 0;
    for (size_t n = 3; n < 12; n++) total += use(number(n));
    scrub();
    printf("%.0f\n", total);
}
