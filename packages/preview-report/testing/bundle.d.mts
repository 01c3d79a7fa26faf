export declare const bundlePath: string;
export declare function bundle(): Promise<string>;
