export declare const bundlePath: string;
export declare function bundle(): Promise<string>;
export declare const rulesPath: string;
export declare function bundleRules(): Promise<string>;
