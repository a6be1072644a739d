/* The books of a small shop. Orders lie on a desk until the clerk, a thread, ships them; customers
 * open accounts. One of them cancels an order that the clerk has in hand already.
 *
 * Something is wrong with it, and `hakmem demo` finds out what. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
enum { ORDERS = 1000, ACCOUNTS = 10, DEPOSIT = 100 };
enum { TAKEN = 1, SHIPPED = 3 };

struct order {
    long number, customer, state, price;
};

struct account {
    long number, customer, balance, limit;
};

static struct order *desk;
static sem_t on_desk, in_hand, go_on, shipped;

NOINLINE struct order *take_order(long number) {
    struct order *order = malloc(sizeof *order);
    if (!order) abort();
    *order = (struct order){number, number % 77, TAKEN, 20};
    return order;
}

NOINLINE struct account *open_account(long customer) {
    struct account *account = malloc(sizeof *account);
    if (!account) abort();
    *account = (struct account){customer + 9000, customer, DEPOSIT, 500};
    return account;
}

NOINLINE void ship(struct order *order) {
    order->state = SHIPPED;
}

NOINLINE long cancel_order(struct order *order) {
    long number = order->number;
    free(order);
    return number;
}

static void *clerk(void *unused) {
    (void)unused;
    for (int i = 0; i < ORDERS; i++) {
        sem_wait(&on_desk);
        struct order *order = desk;
        sem_post(&in_hand);
        sem_wait(&go_on);
        ship(order);
        sem_post(&shipped);
    }
    return NULL;
}

int main(void) {
    sem_t *all[] = {&on_desk, &in_hand, &go_on, &shipped};
    for (int i = 0; i < 4; i++) sem_init(all[i], 0, 0);
    pthread_t thread;
    if (pthread_create(&thread, NULL, clerk, NULL)) abort();

    static struct order *orders[ORDERS];
    struct account *accounts[ACCOUNTS];
    for (int i = 0; i < ORDERS; i++) {
        orders[i] = desk = take_order(i);
        sem_post(&on_desk);
        sem_wait(&in_hand);
        if (i == 700) {
            printf("order %ld is cancelled\n", cancel_order(orders[i]));
            orders[i] = NULL;
        }
        if (i % (ORDERS / ACCOUNTS) == 0) accounts[i / (ORDERS / ACCOUNTS)] = open_account(i);
        sem_post(&go_on);
        sem_wait(&shipped);
    }
    pthread_join(thread, NULL);

    long there = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        there += accounts[i]->balance;
        free(accounts[i]);
    }
    for (int i = 0; i < ORDERS; i++) free(orders[i]);
    long paid = ACCOUNTS * DEPOSIT;
    printf("%ld were paid in, and %ld are there: the books %s\n", paid, there,
           there == paid ? "balance" : "do NOT balance");
    fflush(stdout);
    return there != paid;
}
