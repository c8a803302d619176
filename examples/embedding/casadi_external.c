/* A header of Network.to_c(jacobian=True) as an external function of CasADi, with its Jacobian.
 *
 *     cc -O2 -shared -fPIC -include pump.h -DNETWORK=pump casadi_external.c -o libpump.so
 *     f = casadi.external("pump", "./libpump.so")
 *
 * The names and arguments are those of CasADi's C interface (its user guide, "Generating C-code"): a function's inputs
 * and outputs are columns; the Jacobian of `pump` is called `jac_pump`, takes an output that it does not read besides,
 * and is stored column by column.
 */
#define CALL(prefix, name, suffix) prefix##name##suffix
#define NAME(prefix, name, suffix) CALL(prefix, name, suffix)
#define OF_NETWORK(suffix) NAME(, NETWORK, suffix)
#define OF_JACOBIAN(suffix) NAME(jac_, NETWORK, suffix)
#define N_INPUTS OF_NETWORK(_N_INPUTS)
#define N_OUTPUTS OF_NETWORK(_N_OUTPUTS)

typedef long long casadi_int; /* as CasADi is built by default */

/* Rows, columns, and 1 for a dense matrix. */
static const casadi_int input[3] = {N_INPUTS, 1, 1};
static const casadi_int output[3] = {N_OUTPUTS, 1, 1};
static const casadi_int derivatives[3] = {N_OUTPUTS, N_INPUTS, 1};

int OF_NETWORK()(const double **arg, double **res, casadi_int *iw, double *w, int mem)
{
    (void)iw, (void)w, (void)mem;
    if (res[0]) OF_NETWORK(_predict)(arg[0], res[0]);
    return 0;
}
casadi_int OF_NETWORK(_n_in)(void) { return 1; }
casadi_int OF_NETWORK(_n_out)(void) { return 1; }
const casadi_int *OF_NETWORK(_sparsity_in)(casadi_int i) { return i == 0 ? input : 0; }
const casadi_int *OF_NETWORK(_sparsity_out)(casadi_int i) { return i == 0 ? output : 0; }

int OF_JACOBIAN()(const double **arg, double **res, casadi_int *iw, double *w, int mem)
{
    double y[N_OUTPUTS], rows[N_OUTPUTS * N_INPUTS];
    (void)iw, (void)w, (void)mem;
    if (!res[0]) return 0;
    OF_NETWORK(_jacobian)(arg[0], y, rows);
    for (int k = 0; k < N_OUTPUTS; k++)
        for (int i = 0; i < N_INPUTS; i++) res[0][i * N_OUTPUTS + k] = rows[k * N_INPUTS + i];
    return 0;
}
casadi_int OF_JACOBIAN(_n_in)(void) { return 2; }
casadi_int OF_JACOBIAN(_n_out)(void) { return 1; }
const casadi_int *OF_JACOBIAN(_sparsity_in)(casadi_int i) { return i == 0 ? input : i == 1 ? output : 0; }
const casadi_int *OF_JACOBIAN(_sparsity_out)(casadi_int i) { return i == 0 ? derivatives : 0; }
